# SPDX-License-Identifier: MIT
# What test scripts count by: sourced. Their last line is `all_told`.
passed=0 failed=0

ok() { # ok NAME CONDITION...
    local name=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
        echo "ok $name"
    else
        failed=$((failed + 1))
        echo "FAILED $name"
    fi
}

all_told() {
    echo "$passed passed, $failed failed"
    [ "$failed" = 0 ]
}
