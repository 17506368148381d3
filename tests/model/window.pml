/* SPDX-License-Identifier: MIT
 *
 * window.pml - heavy messages on their way to a mailbox that fills: it never holds more than its bound and a window.
 * The protocol of loop/window.h. (Who waits for room in a window is woken as for a slot: wake.pml.)
 *
 * The target has begun with a message that it never ends, so that all that is sent from here on stands in its mailbox, or
 * is on its way. Its loop also sends other things to the sender's loop, which reads them when it likes: what it says of the
 * mailbox, FULL, stands somewhere among them.
 *
 *   BUG1  what has been dispatched is room at once, whatever has been read. This was the first thought
 *   BUG2  the sender's loop looks how far it has to read, and what has been returned then
 *   BUG3  the target's loop returns what it has dispatched before it publishes what it has written
 *   BUG4  what is returned while an earlier part still waits to be counted is counted with it
 */
#define WINDOW 2
#define LIMIT 1
#define SENDS 6
#define OTHERS 3

byte sent, dispatched, taken, box;
byte written, tail, read;       /* the ring from the target's loop: private, published, and as far as it has been read */
byte full_at;                   /* where FULL stands in it; 0: not said yet */
byte returned;

inline publish() {
#ifdef BUG3
    returned = taken;
    tail = written
#else
    tail = written;
    returned = taken
#endif
}

proctype Target() {
    byte others = 0;
end:
    do
    :: dispatched < sent ->
        atomic {
            dispatched++; taken++;
            if
            :: box >= LIMIT && full_at == 0 -> written++; full_at = written
            :: else
            fi;
            box++
        }
    :: others < OTHERS -> others++; written++
    :: tail != written || returned != taken -> publish()
    od
}

proctype Sender() {
    byte out = 0, back = 0, next = 0, news = 0;
    bool comes = false, known = false;
end:
    do
    :: atomic { !known && out < WINDOW && sent < SENDS -> sent++; out++; assert(sent <= LIMIT + WINDOW) }
    :: read < tail -> atomic { read++; if :: read == full_at -> known = true :: else fi }
    :: !known && out >= WINDOW ->
        if
        :: comes && read >= news ->
#ifdef BUG4
            next = returned;
#endif
            out = out - (next - back); back = next; comes = false
        :: else
        fi;
        if
        :: !comes ->
#ifdef BUG2
            news = tail;
            next = returned;
#else
            next = returned;
            news = tail;
#endif
            comes = next != back
        :: else
        fi;
#ifdef BUG1
        out = out - (next - back); back = next; comes = false
#endif
    od
}

init { atomic { run Target(); run Sender() } }
