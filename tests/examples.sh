#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Runs each example and checks what it prints; the pipeline against an independent computation, with a
# worker killed in the middle, and with its parts started one by one.
set -u
bin=$1 # build/examples, or those of a build with a sanitizer
here=$(cd "$(dirname "$0")" && pwd)
. "$here/ok.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

same() { [ "$1" = "$2" ] || { printf 'is:\n%s\nnot:\n%s\n' "$1" "$2"; return 1; }; }
run() { timeout -s KILL 60 "$@"; }

ok hello same "$(run "$bin/01_hello")" "Hello, world."
readme_hello() { # what stands in the README compiles, and does what it says
    awk '/^```c/{n++; on=1; next} /^```/{on=0} on && n==1' "$here/../README.md" >"$work/hello.c"
    cc -Wall -Werror -I"$here/../include" -o "$work/hello" "$work/hello.c" "$bin/../libreparto.so" \
        -Wl,-rpath,"$(realpath "$bin/..")" && same "$(run "$work/hello")" "Hello, world."
}
[[ $bin == build/* ]] && ok readme_hello readme_hello # the others have a sanitizer in the library
ok ping_pong same "$(run "$bin/02_ping_pong" 10000 | sort)" "loop 0: 5001 bounces
loop 1: 5000 bounces"
ok producer_consumer same "$(run "$bin/03_producer_consumer")" "6000 items, sum 6003000"
ok call same "$(run "$bin/04_call")" "an answer in 10 ms: came
an answer in 5000 ms: cancelled: it did not happen
the scope: the deadline has passed"
ok bounded_buffer same "$(run "$bin/06_bounded_buffer")" "40000 items, sum 800020000"

ok supervisor same "$(run "$bin/07_supervisor")" "counter fell: no sevens, please
counter fell: no sevens, please
counter fell: no sevens, please
the sum without sevens: 414
counter, begun anew 3 times, says: the sum is 414"
ok chat same "$(run "$bin/08_chat")" "4 guests heard 21 lines each, in one order"
ok bank same "$(run "$bin/09_bank")" "1000 transfers, total 500000"
ok philosophers same "$(run "$bin/10_philosophers" | sort)" "$(printf 'philosopher %d ate 200 times\n' 0 1 2 3 4)"
ok barber same "$(run "$bin/11_barber")" "60 customers, each served or gone: yes"
ok embed same "$(run "$bin/12_embed")" "1
4
9
16
25
the actors have ended, as they were told"

ok drain same "$(run "$bin/13_drain")" "slow has 3 messages left, and waits for: sleep
100 jobs done
0 jobs done"

# ---- the pipeline

expected() { python3 "$here/depends.py" "$@"; }
input=/var/lib/dpkg/status
ok pipeline_machine same "$(run "$bin/05_pipeline" --top 20 "$input" 2>/dev/null)" "$(expected "$input" 1 20)"
ok pipeline_repeat same "$(run "$bin/05_pipeline" --top 5 --repeat 30 --workers 3 "$input" 2>/dev/null)" "$(expected "$input" 30 5)"
printf 'Package: a\nDepends: b, c (>= 1) | d,\n e:any [amd64]\nDescription: x\n Depends: not\n\n\n\nPackage: z\nPre-Depends: q\n\nPackage: last\nDepends: b' >"$work/odd"
ok pipeline_odd same "$(run "$bin/05_pipeline" --top 20 "$work/odd" 2>/dev/null)" "$(expected "$work/odd" 1 20)"
: >"$work/empty"
ok pipeline_empty same "$(run "$bin/05_pipeline" "$work/empty" 2>/dev/null)" "$(expected "$work/empty" 1 10)"
ok pipeline_no_file test "$(run "$bin/05_pipeline" /nowhere >/dev/null 2>"$work/err"; echo $?)" != 0
ok pipeline_no_file_says grep -q 'cannot read /nowhere' "$work/err"

# Each part by itself, on TCP, in any order.
parts() {
    local port=$((20000 + RANDOM % 20000)) out pids=()
    "$bin/05_pipeline" producer --sink tcp://127.0.0.1:$port --worker tcp://127.0.0.1:$((port + 1)) "$input" 2>/dev/null &
    pids+=($!)
    "$bin/05_pipeline" worker --listen tcp://127.0.0.1:$((port + 1)) --sink tcp://127.0.0.1:$port 2>/dev/null &
    pids+=($!)
    sleep 0.2
    out=$(run "$bin/05_pipeline" sink --listen tcp://127.0.0.1:$port --top 20 2>/dev/null)
    wait "${pids[@]}"
    same "$out" "$(expected "$input" 1 20)"
}
ok pipeline_parts parts

# A worker process is killed: an error that names it and counts what is missing, soon, and nothing hangs.
killed() {
    seq 40000 | sed 's/.*/Package: p&\nDepends: a, b&\n/' >"$work/many" # five seconds of work, however few packages are installed
    timeout -s KILL 100 "$bin/05_pipeline" --slow --workers 2 --verbose "$work/many" >"$work/out" 2>"$work/err" &
    local pid=$! worker # timeout leads a process group of its own: another run's workers are not in it
    until grep -q 'the first stanza has come' "$work/err"; do # both workers are linked by then
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.02
    done
    worker=$(pgrep -g "$pid" -f "05_pipeline worker .*$" | tail -n 1)
    kill -KILL "$worker"
    local from=$SECONDS
    wait "$pid"
    local rc=$?
    cat "$work/err"
    [ $rc != 0 ] && [ $((SECONDS - from)) -le 8 ] &&
        grep -qE "sink: node worker-$worker is lost; [0-9]+ stanzas were sent to it, [0-9]+ came back: [0-9]+ unaccounted for" "$work/err"
}
ok pipeline_killed_worker killed

all_told
