#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The unit tests under valgrind, each in a process of its own. A test fails on any error or definite
# leak, whatever it returns itself. Left out: what is slow there by design (millions of messages), and what
# overflows a stack on purpose, in a child that dies of it; what needs two cores at work at once, of which there is one
# here, or reads at random on purpose; what forks while loops run, for in the child the stacks that their threads have for signals are lost; and what is held against a watchdog's
# time, which reads the stack of a thread that stands still in a handler: memcheck takes that for below its stack.
set -u
runner=$1
shift
log=$(mktemp -d)
trap 'rm -rf "$log"' EXIT
passed=0 failed=0
for t in $("$runner" --list "$@" | grep -vE 'a_million|thousands_at_once|overflow/|overflow_names|no_frame_leaps|20000_generations|damaged_bodies|least_loaded|survives_broken_stacks|a_child_takes_nothing_along|a_held_loop_is_told|stall/in_a_host'); do
    timeout -s KILL 300 valgrind -q --error-exitcode=9 --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite \
        --max-stackframe=100000000 --suppressions="$(dirname "$0")/valgrind.supp" --trace-children=no \
        --log-file="$log/%p" "$runner" --here "$t" >"$log/out" 2>&1
    rc=$?
    # what begins with -- is valgrind about itself: it does not know process_madvise, and the library goes on without
    if [ $rc = 0 ] && ! cat "$log"/[0-9]* | grep -qv '^--'; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED $t ($rc)"
        cat "$log/out" "$log"/[0-9]* 2>/dev/null | head -n 60
    fi
    rm -f "$log"/[0-9]*
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
