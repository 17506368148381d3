#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# builds.sh BUILD SUITE... - the ways of building and linking that nobody uses here every day, with BUILD as it is built:
#   - a program that is linked statically and optimized as a whole, by gcc and by clang;
#   - the flags for users' code, in the pkg-config file and in the meson dependency;
#   - a C++ program, whose exceptions are its coroutines' own;
#   - CFLAGS that fortify by themselves: no warning;
#   - the switch by ucontext: the library, and some suites.
set -u -o pipefail
cd "$(dirname "$0")/.."
top=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0

check() { # check NAME COMMAND...
    local name=$1
    shift
    if "$@" >"$work/out" 2>&1; then
        passed=$((passed + 1))
    else
        tail -n 20 "$work/out"
        echo "FAILED $name"
        failed=$((failed + 1))
    fi
}

whole_program() { # COMPILER AR
    local dir=$work/lto-$1 libs room
    libs=$(pkg-config --libs libuv)
    for room in $(find loop mailbox actors cluster observe run -name '*.c' -printf '%h\n' | sort -u); do # in a folder each: some files have the same name
        mkdir -p "$dir/$room"
        (cd "$dir/$room" && printf '%s\n' "$top/$room"/*.[cS] | xargs -P 2 -n 16 "$1" -std=gnu17 -D_GNU_SOURCE -O1 -flto -w \
            -fcf-protection=branch -I"$top" -I"$top/include" -c) || return 1
    done
    find "$dir" -name '*.o' | xargs "$2" rcs "$dir/libreparto.a" &&
        "$1" -std=gnu17 -O1 -flto -w -I"$top/include" "$top/examples/01_hello.c" "$dir/libreparto.a" $libs -lnng -lmbedtls -lmbedx509 \
            -lmbedcrypto -lpthread -latomic -o "$dir/hello" && "$dir/hello"
}

flags_for_users() { # by pkg-config, and as whose subproject it is
    local outer=$work/outer
    mkdir -p "$outer/subprojects"
    ln -s "$top" "$outer/subprojects/reparto"
    cp examples/01_hello.c "$outer/hello.c"
    cat >"$outer/meson.build" <<'END'
project('outer', 'c')
executable('hello', 'hello.c', dependencies: dependency('reparto', fallback: 'reparto'))
END
    grep -q '^Cflags:.*-fstack-clash-protection' build/meson-private/reparto.pc &&
        meson setup "$outer/build" "$outer" &&
        grep 'command.*hello\.c' "$outer/build/compile_commands.json" | grep -q -e -fstack-clash-protection
}

exceptions() {
    g++ -O2 -Iinclude tests/tools/exceptions.cc build/libreparto.a -luv -lnng -lmbedtls -lmbedx509 -lmbedcrypto -lpthread -latomic \
        -o "$work/exceptions" && "$work/exceptions"
}

fortified() { # in its own directory, one file of each floor
    CFLAGS="-O2 -D_FORTIFY_SOURCE=3" meson setup "$work/fortified" -Dwerror=false &&
        ! grep -q '_FORTIFY_SOURCE=2' "$work/fortified/compile_commands.json" &&
        ninja -C "$work/fortified" libreparto.a.p/observe_text.c.o libreparto.a.p/mailbox_type.c.o >"$work/warnings" &&
        ! grep -i 'redefined' "$work/warnings"
}

by_ucontext() {
    build-ucontext/tests/runner "$@" | tee "$work/ran" && ! grep -q '^0 passed' "$work/ran"
}

check "whole program, gcc" whole_program gcc gcc-ar
check "whole program, clang" whole_program clang llvm-ar
check "flags for users' code" flags_for_users
check "C++ exceptions" exceptions
check "CFLAGS that fortify" fortified
check "switch by ucontext" by_ucontext "$@"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
