/* SPDX-License-Identifier: MIT
 *
 * full.pml - a full mailbox: every sender that was made to wait goes on in the end, and the mailbox
 * never holds more than its bound and what was on its way. The protocol of actors/flow.c.
 *
 *   BUG1  the target forgets a MORE that comes while it is full
 *   BUG2  the sender's loop forgets the target while others still wait for it
 *   BUG3  a target that dies tells nobody
 *   BUG4  FULL is never said: the bound does not hold
 *   BUG5  a sender goes on without ever looking at what has come in: nor does it then. This was our code
 *         until this model was run
 */
#define SENDERS 2
#define EACH 5
#define LIMIT 2
#define RING 1
#define BURST 1                         /* sends between two looks at what came in */

mtype = { DATA, FUL, ROOM, MORE };
chan up = [RING] of { mtype };          /* the ring toward the target's loop */
chan spill = [4] of { mtype };          /* signals, which find room always */
chan down = [4] of { mtype, byte };
byte delivered, box, unsent = SENDERS * EACH;
bool dead;

#ifdef BUG5
#define MAY_SEND nfull(up)
#else
#define MAY_SEND (nfull(up) && burst < BURST)
#endif

proctype SenderLoop() {
    byte left[SENDERS], n, i;
    bool waits[SENDERS], pass[SENDERS];  /* pass: woken, and it is its turn */
    bool known = false;                  /* the target is in the table */
    byte burst = 0;
    left[0] = EACH; left[1] = EACH;
end:
    do
    :: left[0] > 0 && !waits[0] && known && !pass[0] -> waits[0] = true
    :: left[1] > 0 && !waits[1] && known && !pass[1] -> waits[1] = true
    :: left[0] > 0 && !waits[0] && (!known || pass[0]) && MAY_SEND ->
        up!DATA; left[0]--; unsent--; pass[0] = false; burst++
    :: left[1] > 0 && !waits[1] && (!known || pass[1]) && MAY_SEND ->
        up!DATA; left[1]--; unsent--; pass[1] = false; burst++
    :: burst == BURST && empty(down) -> burst = 0
    :: down?FUL,n -> known = true; burst = 0
    :: down?ROOM,n ->
        burst = 0;
        if
        :: known ->
            i = 0;
            do
            :: i < SENDERS && n > 0 && waits[i] -> waits[i] = false; pass[i] = true; n--; i++
            :: i < SENDERS && !(n > 0 && waits[i]) -> i++
            :: i == SENDERS -> break
            od;
            if
#ifdef BUG2
            :: true -> known = false
#else
            :: waits[0] || waits[1] -> spill!MORE
            :: else -> known = false
#endif
            fi
        :: else
        fi
    od
}

proctype Target() {
    bool told = false;
end:
    do
    :: up?DATA ->
        if
        :: dead -> delivered++
        :: else ->
            box++;
            assert(box <= LIMIT + 1 + RING + BURST + SENDERS);
#ifndef BUG4
            if :: box > LIMIT && !told -> told = true; down!FUL,0 :: else fi
#endif
        fi
    :: spill?MORE ->
        if
        :: dead -> down!ROOM,9
        :: !dead && box <= LIMIT / 2 -> down!ROOM,(LIMIT - box)
        :: !dead && box > LIMIT / 2 ->
#ifdef BUG1
            skip
#else
            told = true
#endif
        fi
    :: atomic { box > 0 -> box--; delivered++ };
        if :: told && box <= LIMIT / 2 -> told = false; down!ROOM,(LIMIT - box) :: else fi
    :: atomic { !dead && delivered > 2 -> dead = true; delivered = delivered + box; box = 0 };
#ifndef BUG3
        if :: told -> told = false; down!ROOM,9 :: else fi
#else
        skip
#endif
    od
}

init { atomic { run SenderLoop(); run Target() } }

ltl all { <> (delivered == SENDERS * EACH) }
