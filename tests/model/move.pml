/* SPDX-License-Identifier: MIT
 *
 * move.pml - an actor goes from loop 0 to loop 1 and home again, while two other loops and loop 0 itself send
 * to it: each message is handled once, each sender's in order, and none meets a loop where it is not. The
 * protocol of actors/life/move.c; what is on a ring stays in order, what is on different rings does not.
 *
 *   BUG1  a shell handles what comes, instead of keeping it until the actor is there
 *   BUG2  the actor goes over when all loops but one have changed
 *   BUG3  the loops are told to change before there is a shell
 *   BUG4  a loop says that it has changed, and changes later
 *   BUG5  the mailbox that was filled on the old loop is put behind the shell's
 *   BUG6  the old loop changes at once, and not behind what it has sent itself
 */
#define LOOPS 4                         /* 0 and 1 are lived on, 2 and 3 only send */
#define EACH 2                          /* messages of each sender; loop 0 sends one */
#define MOVES 2

mtype = { DATA, PREPARE, READY, CHANGE, CHANGED, INSTALL };
mtype = { NOBODY, LIVES, FROZEN, SHELL };

chan ring[16] = [4] of { mtype, byte, byte }; /* from * 4 + to: what, (sender, number) or (to where) */
chan box[2] = [5] of { byte, byte };
mtype state[2];
byte where[LOOPS], next[LOOPS], sent[LOOPS], handled, moves, changed;

#define RING(from, to) ring[(from) * 4 + (to)]
#define OTHER (1 - me)

inline handle(who, n) {
    assert(n == next[who]);
    next[who]++;
    handled++
}

inline take(who, n) {
    if
    :: state[me] == LIVES -> handle(who, n)
    :: state[me] == FROZEN -> box[me]!who,n
#ifdef BUG1
    :: state[me] == SHELL -> handle(who, n)
#else
    :: state[me] == SHELL -> box[me]!who,n
#endif
    :: state[me] == NOBODY -> assert(false)
    fi
}

inline send() {
    RING(me, where[me])!DATA(me, sent[me]);
    sent[me]++
}

/* All loops but this one; this one's word goes through its own queue, behind what it has sent itself. */
inline tell_all() {
    RING(me, 2)!CHANGE(OTHER, 0);
    RING(me, 3)!CHANGE(OTHER, 0);
    RING(me, OTHER)!CHANGE(OTHER, 0);
#ifdef BUG6
    where[me] = OTHER;
    changed++
#else
    RING(me, me)!CHANGE(OTHER, 0)
#endif
}

inline change(from, to) {
#ifdef BUG4
    RING(me, from)!CHANGED(0, 0);
    late = to
#else
    where[me] = to;
    RING(me, from)!CHANGED(0, 0)
#endif
}

inline hand_over() {
    changed = 0;
    state[me] = NOBODY;
    RING(me, OTHER)!INSTALL(0, 0)
}

inline join() {
#ifdef BUG5
    do
    :: box[me]?a,b -> handle(a, b)
    :: empty(box[me]) -> break
    od;
#endif
    do
    :: box[OTHER]?a,b -> handle(a, b)
    :: empty(box[OTHER]) -> break
    od;
    do
    :: box[me]?a,b -> handle(a, b)
    :: empty(box[me]) -> break
    od
}

#ifdef BUG2
#define ENOUGH (LOOPS - 1)
#else
#define ENOUGH LOOPS
#endif

/* What any loop does with what comes from loop `from`. */
inline receive(from) {
    atomic {
        RING(from, me)?what,a,b ->
        if
        :: what == DATA -> take(a, b)
        :: what == PREPARE -> state[me] = SHELL; RING(me, OTHER)!READY(0, 0)
        :: what == READY ->
#ifndef BUG3
            tell_all()
#endif
        :: what == CHANGE -> change(from, a)
        :: what == CHANGED ->
            changed++;
            if
            :: changed == ENOUGH -> hand_over()
            :: else
            fi
        :: what == INSTALL -> join(); state[me] = LIVES
        fi
    }
}

proctype Home(byte me) {
    byte a, b, late = 9;
    mtype what;
end:
    do
    :: receive(0)
    :: receive(1)
    :: receive(2)
    :: receive(3)
    :: atomic { me == 0 && sent[me] < 1 -> send() }
    :: atomic { late != 9 -> where[me] = late; late = 9 }
    :: atomic { state[me] == LIVES && moves < MOVES && changed == 0 ->
            moves++;
            state[me] = FROZEN;
            RING(me, OTHER)!PREPARE(0, 0);
#ifdef BUG3
            tell_all()
#endif
        }
    od
}

proctype Sender(byte me) {
    byte a, b, late = 9;
    mtype what;
end:
    do
    :: atomic { sent[me] < EACH -> send() }
    :: atomic { RING(0, me)?what,a,b -> change(0, a) }
    :: atomic { RING(1, me)?what,a,b -> change(1, a) }
    :: atomic { late != 9 -> where[me] = late; late = 9 }
    od
}

init {
    atomic {
        state[0] = LIVES;
        state[1] = NOBODY;
        run Home(0);
        run Home(1);
        run Sender(2);
        run Sender(3)
    }
    timeout -> /* nothing more can happen */
    assert(handled == 2 * EACH + 1 && moves == MOVES);
    assert(state[0] == LIVES && where[0] == 0 && where[2] == 0 && where[3] == 0)
}
