/* SPDX-License-Identifier: MIT
 *
 * meet.pml - a queue of capacity 0: who puts stands in line with its item until somebody gets it, and either
 * may give up; then one end is closed. The protocol of mailbox/sync/queue.c (try_put, meet, close) on park.h; the
 * letters are those of park.pml, which has the other side: items in the store.
 *
 * Putters and getters are coroutines on loops of their own. Each putter has one item, each getter wants one;
 * one of each may give up. A foreign thread may close the put end, or both, at any time. An item is got once if
 * its put returned 0, and never otherwise.
 *
 *   BUG1  a putter that has been taken out of line and gives up leaves all the same: its item is with the
 *         getter and with it
 *   BUG2  a getter copies the item after it has woken its putter, whose it is again by then
 *   BUG3  who closes the put end takes the putters out of line and forgets the getters: they wait for ever
 *   BUG4  who puts looks at the line of getters, and goes into its own when the latch is taken again: both
 *         stand and wait for each other
 *   BUG5  closing tells each putter when the latch is open again, by the line as it stands then
 */
#define N 2                    /* putters, and getters */

bool latch, put_closed, get_closed, over;
byte pline[N], pwaiting, gline[N], gwaiting;
bool pin[N], gin[N];           /* in line */
bool palive[N], galive[N];     /* its node: it is in a call */
byte has[N], got[N];           /* a getter's node has item has - 1; times that item i was got */
bool accepted[N];              /* its put returned 0 */
mtype = { SERVED, BROKEN };
chan pbox[N] = [1] of { mtype };
chan gbox[N] = [1] of { mtype };
byte ended;

inline take_latch() { atomic { !latch -> latch = true } }
inline open_latch() { latch = false }

inline pop_putter(w) {          /* under the latch */
    d_step { w = pline[0]; pline[0] = pline[1]; pline[1] = 0; pwaiting--; pin[w] = false }
}

inline pop_getter(w) {
    d_step { w = gline[0]; gline[0] = gline[1]; gline[1] = 0; gwaiting--; gin[w] = false }
}

inline remove_putter(w) {
    d_step { if :: pline[0] == w -> pline[0] = pline[1] :: else fi; pline[1] = 0; pwaiting--; pin[w] = false }
}

inline remove_getter(w) {
    d_step { if :: gline[0] == w -> gline[0] = gline[1] :: else fi; gline[1] = 0; gwaiting--; gin[w] = false }
}

proctype Putter(byte me; bool may_give_up) {
    byte w; mtype what;
    palive[me] = true;
    take_latch();
    if
    :: put_closed -> open_latch(); goto out
    :: !put_closed && gwaiting > 0 ->
        pop_getter(w);
        assert(galive[w]);
        has[w] = me + 1;
        open_latch();
        gbox[w]!SERVED;                                 /* A2 */
        accepted[me] = true; goto out
    :: !put_closed && gwaiting == 0 ->
#ifdef BUG4
        open_latch(); take_latch();
#endif
        d_step { pline[pwaiting] = me; pwaiting++; pin[me] = true }
        open_latch()                                    /* W1 */
    fi;
end:
    if
    :: pbox[me]?what -> accepted[me] = (what == SERVED)
    :: may_give_up ->
        may_give_up = false;
        take_latch();
        if
        :: pin[me] -> remove_putter(me); open_latch() /* C1 */
        :: !pin[me] ->                                  /* C2 */
            open_latch();
#ifndef BUG1
            pbox[me]?what; accepted[me] = (what == SERVED)
#else
            skip
#endif
        fi
    fi;
out:
    palive[me] = false;
    ended++
}

proctype Getter(byte me; bool may_give_up) {
    byte w; mtype what;
    galive[me] = true;
    take_latch();
    if
    :: get_closed -> open_latch(); goto out
    :: !get_closed && pwaiting > 0 ->
        pop_putter(w);
#ifdef BUG2
        open_latch();
        pbox[w]!SERVED;
        assert(palive[w]);
        got[w]++;
#else
        assert(palive[w]);
        got[w]++;
        open_latch();
        pbox[w]!SERVED;                                 /* A2 */
#endif
        goto out
    :: !get_closed && pwaiting == 0 && put_closed -> open_latch(); goto out
    :: !get_closed && pwaiting == 0 && !put_closed ->
        d_step { gline[gwaiting] = me; gwaiting++; gin[me] = true }
        open_latch()
    fi;
end:
    if
    :: gbox[me]?what -> if :: what == SERVED -> assert(has[me]); got[has[me] - 1]++ :: else fi
    :: may_give_up ->
        may_give_up = false;
        take_latch();
        if
        :: gin[me] -> remove_getter(me); open_latch()
        :: !gin[me] ->
            open_latch();
            gbox[me]?what;
            if :: what == SERVED -> assert(has[me]); got[has[me] - 1]++ :: else fi
        fi
    fi;
out:
    galive[me] = false;
    ended++
}

proctype Closer() {
    byte pchain[N], gchain[N], pn, gn, w;
    if
    :: skip                                             /* nobody closes it */
    :: take_latch();
        put_closed = true;                              /* the put end, or both */
        if :: get_closed = true :: skip fi;
#ifndef BUG5
        d_step {
            do
            :: pwaiting > 0 -> w = pline[0]; pline[0] = pline[1]; pwaiting--; pin[w] = false; pchain[pn] = w; pn++
            :: else -> break
            od
        }
#endif
#ifndef BUG3
        d_step {
            do
            :: gwaiting > 0 -> w = gline[0]; gline[0] = gline[1]; gwaiting--; gin[w] = false; gchain[gn] = w; gn++
            :: else -> break
            od
        }
#endif
        open_latch();
#ifdef BUG5
        do
        :: pwaiting > 0 -> w = pline[0]; pline[0] = pline[1]; pwaiting--; pin[w] = false; pbox[w]!BROKEN
        :: else -> break
        od;
#endif
        do :: pn > 0 -> pn--; pbox[pchain[pn]]!BROKEN :: else -> break od;
        do :: gn > 0 -> gn--; gbox[gchain[gn]]!BROKEN :: else -> break od
    fi;
    over = true
}

proctype Judge() {            /* when nothing can happen any more */
    byte i;
    timeout;
    assert(over);
    for (i : 0 .. N - 1) { assert(got[i] == accepted[i]) }
    assert(pwaiting == 0 || gwaiting == 0);             /* nobody waits for what is there */
    assert(!put_closed || ended == 2 * N)
}

init {
    atomic { run Putter(0, true); run Putter(1, false); run Getter(0, true); run Getter(1, false); run Closer(); run Judge() }
}
