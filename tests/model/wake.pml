/* SPDX-License-Identifier: MIT
 *
 * wake.pml - two loops and the ring between them: nobody sleeps for ever.
 *
 * The producer writes N messages through a ring of CAP slots and sleeps while it is full; the consumer
 * sleeps while it is empty. The letters P1.. and C1.. are those of loop/ring.h. A loop that sleeps
 * where nobody will wake it shows as an invalid end state.
 *
 * Each BUG is a variant that somebody might write, and must fail:
 *   BUG1  the consumer looks first and raises its flag then               (C2 before C1)
 *   BUG2  the consumer does not look again after raising its flag         (no C2)
 *   BUG3  the tail is stored without seq_cst: the store may pass P2       (a store buffer)
 *   BUG4  slots handed back in the middle of a round are not followed by a look at `want`: found by
 *         a test in the real code before this model was written
 *   BUG5  the producer reads the head and sets `want` then
 *   BUG6  a flag that says "woken already", taken down after the drain: what uv_async_send alone amounts
 *         to under a plain store, and how it loses wake-ups
 *   BUG7  before it sleeps the producer looks whether the head has moved, not whether its `want` still
 *         stands: the consumer may have taken it for slots that the producer has seen. This was our code
 *         until this model was run
 *   BUG8  the consumer looks for the ring with a load that may pass its own store of the flag (acquire, where C2 is
 *         seq_cst), and finds none: this was our code
 */
#ifndef CAP
#define CAP 2
#endif
#ifndef N
#define N 5
#endif

byte tail, head;          /* as published */
bool there;               /* the ring, where the consumer looks for it */
byte buffered;            /* BUG3: what stands in the producer's store buffer */
bool pending;
bool want, csleep, psleep;
bool cpending;            /* BUG6 */
byte cevent, pevent;      /* the eventfds */
byte got;

inline publish_tail(t) {
#ifdef BUG3
    buffered = t; pending = true
#else
    tail = t              /* P1 */
#endif
}

inline wake_consumer() {
    if                    /* P2 */
    :: csleep ->
        atomic { if :: csleep -> csleep = false; cevent++ :: else fi } /* P3, P4 */
#ifdef BUG6
    :: !csleep ->
        atomic { if :: !cpending -> cpending = true; cevent++ :: else fi }
#else
    :: else
#endif
    fi
}

inline wake_producer() {
    if
    :: psleep -> atomic { if :: psleep -> psleep = false; pevent++ :: else fi }
    :: else
    fi
}

proctype Producer() {
    byte pt = 0, seen = 0, room;
    there = true;         /* P0 */
    do
    :: pt == N -> break
    :: pt < N ->
        do                /* a round: some of what fits */
        :: pt < N && pt - seen < CAP -> pt++
        :: break
        od;
        publish_tail(pt);
        wake_consumer();
        if
        :: pt < N && pt - seen == CAP ->
#ifdef BUG5
            room = head;
            want = true;
#else
            want = true;
            room = head;
#endif
            seen = room;
            if
            :: pt - seen == CAP ->
                psleep = true;
                if
#ifdef BUG7
                :: head != seen -> psleep = false
#else
                :: !want -> psleep = false /* taken for slots seen already: ask again */
#endif
                :: else -> pevent > 0; pevent--; psleep = false
                fi
            :: else
            fi
        :: else
        fi
    od
}

proctype Consumer() {
    byte settled = 0, t;
    bool early;
    do
    :: got == N -> break
    :: got < N ->
        t = (there -> tail : 0);
        do
        :: got < t -> got++;
            if
            :: head = got; /* handed back in mid-round */
#ifdef BUG4
               settled = got
#endif
            :: skip
            fi
        :: got == t -> break
        od;
        if
        :: got != settled ->
            head = got;
            settled = got;
            if
            :: want -> want = false; wake_producer()
            :: else
            fi
        :: else
        fi;
        if
        :: got == N -> break
        :: else
        fi;
#if defined(BUG6)
        cpending = false; cevent > 0; cevent--
#elif defined(BUG1)
        if
        :: there && tail != got -> skip
        :: else -> csleep = true; cevent > 0; cevent--; csleep = false
        fi
#elif defined(BUG2)
        csleep = true; cevent > 0; cevent--; csleep = false
#else
#ifdef BUG8
        early = there;
        csleep = true;
#else
        csleep = true;    /* C1 */
        early = there;    /* C2, of the ring; */
#endif
        if
        :: early && tail != got -> csleep = false /* and of its tail */
        :: else -> cevent > 0; cevent--; csleep = false /* C3 */
        fi
#endif
    od
}

#ifdef BUG3
proctype StoreBuffer() {
end:
    do
    :: atomic { pending -> tail = buffered; pending = false }
    od
}
#endif

init {
    atomic {
        run Producer();
        run Consumer();
#ifdef BUG3
        run StoreBuffer()
#endif
    }
    (_nr_pr == 1
#ifdef BUG3
     || _nr_pr == 2
#endif
    );
    assert(got == N)
}
