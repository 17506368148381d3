#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The switch of stacks, and the walk along a parked one, under every way of compiling it that a user may choose, on x86-64 with gcc and
# clang, and on aarch64 in an emulator where that is installed. What it may not do shows at -O1 and up:
# keep something in a register that the other stack uses.
set -u
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0
one() { # one NAME RUNNER COMPILER FLAGS...
    local name=$1 runner=$2 out
    shift 2
    "$@" -std=gnu17 -D_GNU_SOURCE -DRP_SWITCH_ONLY -g -I. -Iinclude tests/loop/stack_test.c tests/loop/unwind_test.c \
        tests/runner.c loop/switch/start.S loop/switch/switch.c loop/watch/unwind.c -static -Wl,--eh-frame-hdr -o "$work/t" 2>"$work/err" || { cat "$work/err"; echo "FAILED $name does not compile"; failed=$((failed + 1)); return; }
    out=$(timeout -s KILL 60 $runner "$work/t" --here stack/every unwind/finds unwind/of 2>&1 | tail -n 1)
    if [ "$out" = "3 passed, 0 failed" ]; then passed=$((passed + 1)); else echo "FAILED $name: $out"; failed=$((failed + 1)); fi
}
flags=("-O0" "-O1" "-O2" "-O3" "-Os" "-O2 -flto" "-O2 -fPIC" "-O2 -fno-omit-frame-pointer" "-O2 -fstack-protector-all")
for f in "${flags[@]}"; do
    if [ "$(uname -m)" = x86_64 ]; then
        one "gcc $f" "" gcc $f
        one "clang $f" "" clang ${f/-flto/}
    fi
    if command -v aarch64-linux-gnu-gcc >/dev/null && command -v qemu-aarch64 >/dev/null; then
        one "aarch64 $f" qemu-aarch64 aarch64-linux-gnu-gcc $f
    fi
done
[ "$(uname -m)" = x86_64 ] && one "gcc -march=native" "" gcc -O3 -march=native
[ "$(uname -m)" = x86_64 ] && one "gcc -fcf-protection" "" gcc -O2 -fcf-protection
command -v qemu-aarch64 >/dev/null && one "aarch64 branch protection" qemu-aarch64 aarch64-linux-gnu-gcc -O2 -mbranch-protection=standard

# The library's own sources for the other machine, as far as they need no header of its own: libuv's and nng's are this one's.
if command -v aarch64-linux-gnu-gcc >/dev/null; then
    mkdir "$work/include"
    for h in uv.h uv nng mbedtls psa; do [ -e "/usr/include/$h" ] && ln -s "/usr/include/$h" "$work/include/$h"; done
    warnings="-Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wno-unused-parameter -Wno-missing-field-initializers"
    if find loop mailbox actors cluster observe run -name '*.[cS]' | xargs -P 2 -n 1 aarch64-linux-gnu-gcc -std=gnu17 -D_GNU_SOURCE -O2 \
        $warnings -Werror -Wframe-larger-than=2048 -fstack-clash-protection -fstack-protector-strong -I. -Iinclude \
        -isystem "$work/include" -c -o /dev/null 2>"$work/err"; then
        passed=$((passed + 1))
    else
        cat "$work/err"
        echo "FAILED aarch64: the library's sources"
        failed=$((failed + 1))
    fi
fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
