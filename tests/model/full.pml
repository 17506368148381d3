/* SPDX-License-Identifier: MIT
 *
 * full.pml - a full mailbox: every sender that was made to wait goes on in the end, and the mailbox
 * never holds more than its bound and what was on its way. The protocol of actors/mail/flow.c.
 *
 *   BUG1  the target forgets a MORE that comes while it is full
 *   BUG2  the sender's loop forgets the target while others still wait for it
 *   BUG3  a target that dies tells nobody
 *   BUG4  FULL is never said: the bound does not hold
 *   BUG5  a sender goes on without ever looking at what has come in: nor does it then. This was our code
 *         until this model was run
 *   BUG6  MORE is said at once and not behind what those that may go on send: the same room is promised again
 *         and again. This was our code until a test had more senders than there was room for
 *   BUG7  who may go on and then does not send is not counted as having sent: MORE is never said
 */
#define SENDERS 3
#define EACH 3
#define LIMIT 2
#define RING 1
#define BURST 1                         /* sends between two looks at what came in */
#ifndef MOST
#define MOST (LIMIT + 1 + RING + BURST)
#endif

mtype = { DATA, FUL, ROOM, MORE };
chan up = [RING + 2] of { mtype };      /* the ring toward the target's loop; signals find room always */
chan down = [4] of { mtype, byte };
byte delivered, box, given_up;
bool dead;

#ifdef BUG5
#define MAY_SEND len(up) < RING
#else
#define MAY_SEND (len(up) < RING && burst < BURST)
#endif

#define WAITING (waits[0] || waits[1] || waits[2])

/* None of those that may go on is still to send. */
inline settle() {
    if
    :: owed == 0 && WAITING -> up!MORE
    :: owed == 0 && !WAITING ->
        if :: !again -> known = false :: else fi
    :: owed > 0
    fi
}

inline has_sent(i) {
    if
    :: pass[i] ->
        pass[i] = false;
        if :: owed > 0 -> owed--; settle() :: else fi
    :: else
    fi
}

inline send(i) { up!DATA; left[i]--; burst++; has_sent(i) }

inline give_up(i) {                      /* let go on, and then cancelled on its way, or out of memory */
    left[i]--; given_up++;
#ifdef BUG7
    pass[i] = false
#else
    has_sent(i)
#endif
}

proctype SenderLoop() {
    byte left[SENDERS], n, i;
    bool waits[SENDERS], pass[SENDERS];  /* pass: woken, and it is its turn */
    bool known = false, again = false;   /* the target is in the table; and has become full since the last ROOM */
    byte burst = 0, owed = 0;
    left[0] = EACH; left[1] = EACH; left[2] = EACH;
end:
    do
    :: atomic { left[0] > 0 && !waits[0] && known && !pass[0] -> waits[0] = true }
    :: atomic { left[1] > 0 && !waits[1] && known && !pass[1] -> waits[1] = true }
    :: atomic { left[2] > 0 && !waits[2] && known && !pass[2] -> waits[2] = true }
    :: atomic { left[0] > 0 && !waits[0] && (!known || pass[0]) && MAY_SEND -> send(0) }
    :: atomic { left[1] > 0 && !waits[1] && (!known || pass[1]) && MAY_SEND -> send(1) }
    :: atomic { left[2] > 0 && !waits[2] && (!known || pass[2]) && MAY_SEND -> send(2) }
    :: atomic { left[0] > 0 && pass[0] -> give_up(0) }
    :: burst == BURST && empty(down) -> burst = 0
    :: atomic { down?FUL,n ->
        again = known;
        known = true; burst = 0 }
    :: atomic { down?ROOM,n ->
        burst = 0;
        if
        :: known ->
            again = false;
            i = 0;
            do
            :: i < SENDERS && n > 0 && waits[i] -> waits[i] = false; pass[i] = true; owed++; n--; i++
            :: i < SENDERS && !(n > 0 && waits[i]) -> i++
            :: i == SENDERS -> break
            od;
#ifdef BUG2
            known = false
#else
#ifdef BUG6
            owed = 0;
#endif
            if :: !WAITING -> owed = 0 :: else fi;
            settle()
#endif
        :: else
        fi }
    od
}

proctype Target() {
    bool told = false;
end:
    do
    :: atomic { up?DATA ->
        if
        :: dead -> delivered++
        :: else ->
            box++;
            assert(box <= MOST);
#ifndef BUG4
            if :: box > LIMIT && !told -> told = true; down!FUL,0 :: else fi
#endif
        fi }
    :: atomic { up?MORE ->
        if
        :: dead -> down!ROOM,9
        :: !dead && box <= LIMIT / 2 -> down!ROOM,(LIMIT - box)
        :: !dead && box > LIMIT / 2 ->
#ifdef BUG1
            skip
#else
            told = true
#endif
        fi }
    :: atomic { box > 0 -> box--; delivered++;
        if :: told && box <= LIMIT / 2 -> told = false; down!ROOM,(LIMIT - box) :: else fi }
    :: atomic { !dead && delivered > 2 -> dead = true; delivered = delivered + box; box = 0;
#ifndef BUG3
        if :: told -> told = false; down!ROOM,9 :: else fi
#else
        skip
#endif
        }
    od
}

init { atomic { run SenderLoop(); run Target() } }

ltl all { <> (delivered + given_up == SENDERS * EACH) }
