/* SPDX-License-Identifier: MIT
 *
 * park.pml - waiting in line, being served from another loop, giving up: nothing is lost or doubled, nobody
 * waits for what is there, and no node is touched after its owner has left. The protocol of mailbox/sync/park.h,
 * by the example of a queue: W, A and C are its letters.
 *
 * Each getter is a coroutine on a loop of its own: it wants one item, and may give up, at any time, once,
 * and come again. A foreign thread puts the items in, and then may close the put end: who waits then is taken
 * out of line all at once. When all getters have ended their system is freed.
 *
 * Each BUG is a variant that somebody might write, and must fail:
 *   BUG1  C2 leaves all the same: the item was its own already
 *   BUG2  A1 in two steps: looks who is first, and takes it out when the latch is taken again
 *   BUG3  W1 in two steps: sees that there is nothing, and goes into line when the latch is taken again
 *   BUG4  A2 looks at the node after it has woken its owner: for the next of the chain
 *   BUG5  taken out all at once, but a cancel judges by its links, not by the epoch
 *   BUG6  the woken one is to fetch the item itself: cancelled before it runs, it passes the wake-up to
 *         nobody (asyncio's queues and locks for years)
 *   BUG7  the waker from outside is not counted as a visitor: the system goes under its feet
 */
#define GETTERS 3
#define ITEMS 2

bool latch;
byte count;                   /* items in the queue */
byte line[GETTERS], waiting;  /* who is in line, the first first */
bool closed, put;             /* the foreign thread is done */
bool linked[GETTERS];         /* its links stand: in line, or in a waker's chain */
byte epoch, came[GETTERS];    /* the line's, and when it came */
bool alive[GETTERS];          /* its node: it is in a call */
bool item[GETTERS];           /* has been put into its node */
chan inbox[GETTERS] = [1] of { byte };
mtype = { GOT, NONE, AGAIN };
byte got, ended, visitors;
bool freed;

inline take_latch() { atomic { !latch -> latch = true } }
inline open_latch() { latch = false }

inline remove(w) {            /* under the latch */
    d_step {
        k = 0;
        do
        :: k < waiting && line[k] != w -> k++
        :: else -> break
        od;
        do
        :: k + 1 < waiting -> line[k] = line[k + 1]; k++
        :: else -> break
        od;
        waiting--; linked[w] = false; line[waiting] = 0; k = 0
    }
}

inline wake(w, what) {        /* A2, from outside */
    assert(alive[w]);
#ifndef BUG7
    visitors++;
#endif
    inbox[w]!what;
    assert(!freed);           /* the loop's flag, its eventfd */
#ifndef BUG7
    visitors--
#else
    skip
#endif
}

proctype Getter(byte me) {
    bool may_give_up = true;
    byte what, k;
again:
    alive[me] = true;
    item[me] = false;
    take_latch();
    if
    :: count > 0 -> count--; got++; open_latch(); goto out
    :: count == 0 && closed -> open_latch(); goto out
    :: count == 0 && !closed ->
#ifdef BUG3
        open_latch();
        take_latch();
#endif
        d_step { line[waiting] = me; waiting++; linked[me] = true; came[me] = epoch }
        open_latch()                                    /* W1 */
    fi;
end:                                                    /* W2 */
    if
    :: inbox[me]?what ->
woken:
        if
        :: what == GOT -> assert(item[me]); got++
        :: what == AGAIN ->                             /* BUG6 */
            if
            :: may_give_up -> may_give_up = false; goto again
            :: goto again
            fi
        :: what == NONE
        fi
    :: may_give_up ->
        may_give_up = false;
#ifdef BUG6
        if
        :: inbox[me]?what -> alive[me] = false; goto out /* cancelled before it ran */
        :: empty(inbox[me])
        fi;
#endif
        take_latch();
        if
#ifdef BUG5
        :: linked[me] -> remove(me); open_latch(); alive[me] = false; goto again
        :: !linked[me] ->
#else
        :: linked[me] && came[me] == epoch ->           /* C1 */
            remove(me); open_latch(); alive[me] = false; goto again
        :: !(linked[me] && came[me] == epoch) ->        /* C2 */
#endif
            open_latch();
#ifdef BUG1
            alive[me] = false;
            goto again
#else
            inbox[me]?what;
            goto woken
#endif
        fi
    fi;
out:
    alive[me] = false;
    ended++
}

proctype Putter() {
    byte n, w, chain[GETTERS], k;
    for (n : 1 .. ITEMS) {
        take_latch();
        if
        :: waiting > 0 ->
            w = line[0];
#ifdef BUG2
            open_latch();
            take_latch();
#endif
            assert(alive[w]);
#ifdef BUG6
            remove(w); count++; open_latch(); wake(w, AGAIN)
#else
            remove(w);
            item[w] = true;
            open_latch();                               /* A1 */
            wake(w, GOT)                                /* A2 */
#endif
        :: waiting == 0 -> count++; open_latch()
        fi
    }
    if
    :: skip
    :: take_latch();                                    /* close: all at once */
        closed = true;
        d_step {
            do
            :: k < waiting -> chain[k] = line[k]; line[k] = 0; k++
            :: else -> break
            od;
            waiting = 0; epoch++
        }
        open_latch();
        for (n : 1 .. k) {
            w = chain[n - 1];
            wake(w, NONE);
#ifdef BUG4
            assert(alive[w])
#endif
        }
    fi;
    put = true
}

proctype Freer() {            /* the system ends with its actors, whatever the foreign thread is at */
end:
    ended == GETTERS && visitors == 0;
    freed = true
}

proctype Judge() {            /* when nothing can happen any more */
    timeout;
    assert(put && got + count == ITEMS);
    assert(waiting == 0 || (count == 0 && !closed));
    assert(!closed || ended == GETTERS)
}

init {
    atomic { run Getter(0); run Getter(1); run Getter(2); run Putter(); run Freer(); run Judge() }
}
