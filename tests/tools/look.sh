#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Looks at planted actors with the program `reparto` and with gdb, live and in a core file; and at 100,000.
set -u
bin=$(realpath "$1")
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../ok.sh"
work=$(mktemp -d)
reparto=$bin/tools/reparto
pid=
skipped=

finish() {
    [ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null
    rm -rf "$work"
}
trap finish EXIT

# begin N: planted, with N more; it answers in $work.
begin() {
    mkfifo "$work/in" "$work/out"
    (cd "$work" && ulimit -c unlimited && RP_INSPECT=$work exec "$bin/tests/planted" "$1" <"$work/in" >"$work/out") &
    pid=$!
    exec 7>"$work/in" 8<"$work/out"
    read -r -t 60 said <&8
    rm "$work/in" "$work/out"
    begun=$SECONDS
    [ "$said" = ready ]
}
end() {
    exec 7>&- 8<&-
    wait "$pid" 2>/dev/null
    pid=
}

# has FILE PATTERN...: each, as an extended regular expression, in some line
has() {
    local file=$1 p
    shift
    for p in "$@"; do
        grep -Eq -- "$p" "$file" || { echo "no line like: $p"; cat "$file"; return 1; }
    done
}
# in_order FILE PATTERN...: lines like these, in this order
in_order() {
    local file=$1
    shift
    want=$(printf '%s\n' "$@") awk 'BEGIN { n = split(ENVIRON["want"], want, "\n"); i = 1 } i <= n && $0 ~ want[i] { i++ }
        END { if (i <= n) print "no line like: " want[i]; exit i <= n }' "$file" || { cat "$file"; return 1; }
}
show() { "$reparto" "$@" >"$work/shown" 2>&1; }
ref() { "$reparto" top -1 -n 1000 "$pid" | awk -v kind="$1" '$2 == kind { print $1; exit }'; }

ok starts begin 5
ok owner_only [ "$(stat -c %a "$work/reparto.$pid")" = 600 ]

top() {
    show top -1 "$pid" && has "$work/shown" '^process [0-9]+, by depth' '^ +0 .* ok$' '^ +1 .* ok$' &&
        has "$work/shown" '^0\.3\.16777217 +full +0 +[a-z]+ +- waiting  sleep .* [1-9][0-9]* +[0-9.]+m?s +0 +0$' &&
        has "$work/shown" '^[0-9.]+ +post-office +0 +[a-z]+ +- waiting  message +' '^[0-9.]+ +flooder +0 +[a-z]+ +- waiting  room in a mailbox  0\.3\.16777217 ' \
            '^[0-9.]+ +asker +0 +[a-z]+ +- waiting  reply +1\.0\.1 ' '^[0-9.]+ +wanter +0 +[a-z]+ +- waiting  a lock +1\.1\.1 ' \
            '^[0-9.]+ +nurse +0 +[a-z]+ +- idle ' '^[0-9.]+ +clumsy +0 +[a-z]+ +- waiting  sleep .* 1$'
}
ok top top
first() { [ "$("$reparto" top -1 -s "$1" "$pid" | awk '/^REF/ { getline; print $2 }')" = "$2" ]; }
ok top_sorts_by_depth first depth full
ok top_sorts_by_name first name asker
bad_sort() { ! show top -1 -s luck "$pid" && has "$work/shown" 'sort by depth'; }
ok top_knows_its_keys bad_sort
ok top_by_path show top -1 "$work/reparto.$pid"

# Who burns CPU time is first, with a share of a core that is his loop's but for a little; the others have none.
cpu() {
    printf b >&7
    show top -1 -s cpu -d 0.6 -n 3 "$pid"
    printf b >&7
    awk '/^ +loop / { for (i = 1; i <= NF; i++) at[$i] = i }
        /^ +1 / && at["cpu%"] { all = $at["cpu%"]; own = $at["own%"] }
        /^REF / { getline; first = $2; share = $5; getline; second = $5 }
        END { bad = first != "burner" || share < 1 || share > all + 20 || share + own < all - 20 || second > 10
              if (bad) print first, share, second, all, own; exit bad }' "$work/shown" || { cat "$work/shown"; return 1; }
}
ok top_by_cpu_time cpu
quiet() { show top -1 -q -s cpu "$pid" && has "$work/shown" 'by cpu' '^[0-9.]+ +burner +1 +[a-z]+ +- '; }
ok top_without_signals quiet
# The share is seen in the second picture; by then the burner is first.
cpu_keys() {
    printf b >&7
    python3 "$here/keys.py" cdcq "$reparto" top -d 0.6 -n 3 "$pid" >"$work/shown"
    printf b >&7
    grep -Eq '^[0-9.]+ +burner +1 +[a-z]+ +[1-9][0-9]*\.[0-9] ' "$work/shown" && has "$work/shown" 'by cpu' 'c\(pu\)'
}
ok top_by_cpu_time_on_a_terminal cpu_keys

# On a terminal it refreshes, and keys sort it.
keys() { python3 "$here/keys.py" nq "$reparto" top -d 0.2 "$pid" >"$work/shown" && has "$work/shown" 'by depth' 'by name'; }
ok top_on_a_terminal keys

tree() {
    show tree -t "$pid" && has "$work/shown" '^    slow \(sleeper\)  1\.0\.1 .*  - 100% asleep$' && in_order "$work/shown" '^root  0\.0\.1 ' '^    post-office \(receiver\)  0' \
        '^    nurse \(supervisor\)' '^        clumsy .* supervised, 1 restarts' '^    ringer ' '^        task 1 '
}
ok tree tree

wait_graph() {
    show wait "$pid" && has "$work/shown" '^ring: (ringer [0-9.]+ > ){3}ringer$' '^2 rings$' \
            '^ring: (backer [0-9.]+ > crosser [0-9.]+ > backer|crosser [0-9.]+ > backer [0-9.]+ > crosser)$' &&
        in_order "$work/shown" 'crosser [0-9.]+ task 1  waits for a lock, to write, .*; 2 have it' &&
        in_order "$work/shown" '^0x[0-9a-f]+ orders$' '^    taker [0-9.]+  waits for an item orders' &&
        in_order "$work/shown" '^full 0\.3\.16777217  waits for sleep, .*; [1-9][0-9]* in its mailbox' '^    flooder .* waits for room in a mailbox' &&
        in_order "$work/shown" '^slow 1\.0\.1  waits for sleep' '^    asker .* waits for reply' \
            '^    clerk .* waits for reply' '^        visitor .* waits for reply' &&
        in_order "$work/shown" '^holder 1\.1\.1  waits for an event' '^    wanter .* waits for a lock' &&
        in_order "$work/shown" '^    ringer .* task 1  waits for reply' '^        ringer .* task 1' '^            ringer .* task 1'
}
ok wait_graph wait_graph

stack() {
    show stack "$pid" "$(ref asker)" && in_order "$work/shown" 'rp_call\+' 'ask_deeply\+' 'ask_deeply\+' 'ask_deeply\+' \
        'ask_deeply\+' 'actor_main\+' 'rp__cx_start\+' && [ "$(grep -c ask_deeply "$work/shown")" = 4 ]
}
ok stack stack
stack_by_name() { show stack "$pid" slow && in_order "$work/shown" 'rp_sleep\+' 'sched_main\+'; }
ok stack_by_name stack_by_name
stack_of_task() { show stack "$pid" 0.8.1 1 && in_order "$work/shown" 'rp_call\+' 'call_next\+' 'task_main\+'; }
ok stack_of_task stack_of_task
no_stack() { ! show stack "$pid" nurse && has "$work/shown" 'error: there is none'; }
ok no_stack no_stack
nobody() { ! show stack "$pid" nobody && has "$work/shown" 'error: no such actor'; }
ok nobody nobody

dump() { show dump "$pid" && has "$work/shown" '^loop load%' '^0\.3\.16777217 +full +waiting +[0-9]+ in its mailbox, the oldest.* - 100% asleep$'; }
ok dump dump
failures() {
    local n
    printf f >&7
    for n in $(seq 50); do
        show failures "$pid" && grep -q loser "$work/shown" && break
        sleep 0.1
    done
    has "$work/shown" '^ago_ms kind report$' '^[0-9]+ failure actor loser [0-9.]+ failed: -71, protocol error.*; why: as planted\. '
}
ok failures failures
words() { show ask "$pid" help && has "$work/shown" '^actors ' '^stack ' && ! show ask "$pid" nonsense; }
ok words words

# An idle system wakes to answer, and for nothing else: the waits are too old by now to be looked into for a ring.
wakeups() { "$reparto" ask "$pid" loops | awk 'NR > 1 { n += $4 } END { print n }'; }
idle() {
    local a b
    while [ $((SECONDS - begun)) -lt 8 ]; do sleep 0.2; done
    a=$(wakeups)
    sleep 2
    b=$(wakeups)
    [ $((b - a)) -le 8 ] || { echo "$((b - a)) wake-ups"; return 1; }
}
ok idle idle

# A loop that a handler holds is shown as held, by whom and where, and the others all the same.
by_hog() { echo "^# loop $1 held for [0-9]+ ms by hog#$1\\.[0-9]+\\.1 in planted\\.num .*planted\\+0x[0-9a-f]+"; }
held() {
    printf h >&7
    sleep 0.3
    show ask "$pid" loops && has "$work/shown" '^0 .* ok$' '^1 - .* held$' &&
        show wait "$pid" && has "$work/shown" "$(by_hog 1)" '^full 0\.3\.16777217 '
}
ok held held
sleep 5
# All of them.
all_held() {
    local hog
    hog=$(ref hog)
    printf a >&7
    sleep 0.3
    show top -1 "$pid" && has "$work/shown" '^ +0 +- .* held$' '^ +1 +- .* held$' "$(by_hog 0)" "$(by_hog 1)" &&
        show dump "$pid" && has "$work/shown" '^0 - .* held$' "$(by_hog 0)" "$(by_hog 1)" &&
        show tree "$pid" && has "$work/shown" "$(by_hog 0)" &&
        show stack "$pid" "$hog" && in_order "$work/shown" 'hog_it\+' 'rp__dispatch\+|sched_main\+' &&
        { ! show ask "$pid" dead; } && has "$work/shown" 'no loop answers'
}
ok all_held all_held
all_back() {
    local n
    for n in $(seq 100); do
        show ask "$pid" loops && has "$work/shown" '^0 .* ok$' '^1 .* ok$' >/dev/null && return
        sleep 0.1
    done
    return 1
}
ok all_back all_back

# ---- gdb --------------------------------------------------------------------------------------------

in_gdb() { gdb -nx -q -batch "$@" >"$work/shown" 2>&1; }
commands=(-ex "source $here/../../tools/gdb.py" -ex "reparto loops" -ex "reparto actors" -ex "reparto bt asker"
    -ex "reparto bt 0.8.1" -ex "reparto bt nurse" -ex "reparto go asker" -ex "up 3" -ex "info args" -ex "reparto back")
gdb_says() {
    in_order "$work/shown" '^LOOP +TURNS' '^0 ' '^1( +[0-9]+){4} +[1-9][0-9]* +[0-9]+  ' '^REF +NAME' '^0\.3\.16777217 +full +waiting +sleep +[1-9]' \
        '^0\.4\.1 +flooder +waiting +room in a mailbox +0\.3\.16777217' '^0\.5\.1 +wanter +waiting +a lock +1\.1\.1' '^ +task 1 +waiting +reply' \
        '^[0-9.]+ +crosser +waiting +scope' '^ +task 1 +waiting +a lock, to write +0\.' \
        '^1\.[0-9.]+ +burner .* [1-9][0-9]*$' '^asker 0\.2\.1, waiting for reply' '^#.* rp_call ' '^#.* ask_deeply .*depth=.*0\)' '^#.* ask_deeply .*depth=.*3\)' '^#.* actor_main ' \
        '^ringer 0\.8\.1, waiting for scope' '^#.* go_round ' '^task 1, waiting for reply' '^#.* call_next ' 'it has no stack' \
        '^#.*(rp_call|rp__park)' '^me = 0x' '^#0 .*'
}
live() { in_gdb -p "$pid" "${commands[@]}"; gdb_says; }
ok gdb_live live
core() {
    local n
    for n in 1 2 3 4 5 6 7 8 9 10; do
        [ -s "$work/core" ] && break
        sleep 0.3
    done
    in_gdb "$bin/tests/planted" "$work/core" "${commands[@]}"
    gdb_says
}
if [ "$(cat /proc/sys/kernel/core_pattern)" = core ] && [ "$(cat /proc/sys/kernel/core_uses_pid)" = 0 ]; then
    kill -ABRT "$pid"
    end 2>/dev/null
    ok gdb_core core
else
    skipped="cores go elsewhere here (kernel.core_pattern): not looked at"
    kill -KILL "$pid"
    end 2>/dev/null
fi

# ---- its end, and many ------------------------------------------------------------------------------

dead() { ! show top -1 "$(basename "$(ls "$work"/reparto.*)" | cut -d. -f2)" || return 1; has "$work/shown" 'not started with RP_INSPECT|Connection refused'; }
ok dead dead
rm -f "$work/core" "$work"/reparto.*

ok starts_100000 begin 100000
many() {
    show top -1 -n 3 "$pid" && has "$work/shown" '^process [0-9]+, by depth, 1000[0-9][0-9] actors' || return 1
    "$reparto" ask "$pid" actors >"$work/shown"
    [ "$(grep -c ' parked ' "$work/shown")" = 100000 ] || { tail -n 5 "$work/shown"; return 1; }
    "$reparto" wait "$pid" | grep -q '^2 rings$'
}
ok many many
# A reader that goes away in the middle is nobody's trouble.
rude() {
    printf 'actors\n' | timeout 5 head -c 0 >/dev/null
    "$reparto" ask "$pid" actors | head -n 1 >/dev/null
    show ask "$pid" loops
}
ok rude rude
count() { "$reparto" ask "$pid" actors | grep -c " $1 "; }
stop() {
    show stop "$pid" "$(ref parked)" || return 1
    for _ in {1..50}; do [ "$(count parked)" != 100000 ] && break; sleep 0.1; done
    [ "$(count parked)" = 99999 ] && show stop "$pid" slow && ! show ask "$pid" stop 0.8.1 1
}
ok stop stop
traces() {
    show trace "$pid" spawn,end,timer,send,recv 300 && has "$work/shown" '^# for 300 ms$' '^# 0 lines lost$' &&
        ! show trace "$pid" nonsense && has "$work/shown" 'error: an argument'
}
ok traces traces
stops_nobody() { ! show stop "$pid" nobody && has "$work/shown" 'error: no such actor'; }
ok stops_nobody stops_nobody
# It ends with the first message.
sends() {
    [ "$(count receiver)" = 1 ] && show send "$pid" post-office 'planted.num{n=1}' || return 1
    for _ in {1..50}; do [ "$(count receiver)" = 0 ] && return; sleep 0.1; done
    return 1
}
ok sends sends
sends_no_nonsense() {
    { ! show send "$pid" full 'planted.num{n=-1}'; } && has "$work/shown" 'error: a number is too large' &&
        { ! show send "$pid" full 'planted.num{m=1}'; } && has "$work/shown" 'error: an argument' &&
        { ! show send "$pid" post-office 'planted.num{n=1}'; } && has "$work/shown" 'error: no such actor' &&
        { ! show send "$pid" full "planted.num{$(printf '%5000s')}"; } && has "$work/shown" 'longer than 4095 bytes' &&
        { ! show send "$pid" full "planted.num{$(printf '%4075s')}"; } && has "$work/shown" 'error: longer than 4095 bytes'
}
ok sends_no_nonsense sends_no_nonsense
end
[ -z "$skipped" ] || echo "note: $skipped"
all_told
