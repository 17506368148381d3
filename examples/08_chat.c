/* SPDX-License-Identifier: MIT
 *
 * 08 chat - a room is a group: what is said there goes to everybody in it, on whichever loop, in one order.
 */
#include <reparto/reparto.h>
#include <stdio.h>
#include <string.h>

enum { GUESTS = 4, LINES = 5 };

struct line {
    rp_bytes text;
};
static const rp_field line_fields[] = {RP_FIELD(struct line, text, RP_TEXT)};
static const rp_type line_type = RP_TYPE("example.line", struct line, line_fields);

struct heard {
    uint32_t lines, order; /* a checksum of all that was said, in the order of hearing it */
};
static const rp_field heard_fields[] = {RP_FIELD(struct heard, lines, RP_U32), RP_FIELD(struct heard, order, RP_U32)};
static const rp_type heard_type = RP_TYPE("example.heard", struct heard, heard_fields);

static int say(rp_self *me, rp_ref room, const char *text)
{
    return rp_publish(me, room, &line_type, &(struct line){{text, strlen(text)}});
}

static int chat(rp_self *me, void *arg)
{
    rp_ref room = *(rp_ref *)arg;
    struct heard h = {0, 0};
    int rc = rp_group_join(me, room);
    if (rc == 0)
        rc = rp_tell(me, rp_parent(me), &heard_type, &h); /* here I am */
    while (rc == 0 && h.lines < 1 + GUESTS * LINES) {
        rp_msg *m;
        if ((rc = rp_recv(me, &m, RP_FOREVER)) != 0)
            return rc;
        rp_bytes said = ((const struct line *)rp_body(m, &line_type))->text;
        for (size_t i = 0; i < said.size; i++)
            h.order = h.order * 31 + (unsigned char)((const char *)said.data)[i];
        rp_msg_drop(me, m);
        for (int i = 0; i < LINES && h.lines == 0 && rc == 0; i++) { /* somebody opened the evening: all talk at once */
            char text[32];
            snprintf(text, sizeof text, "%x says %d", (unsigned)rp_self_ref(me).local, i);
            rc = say(me, room, text);
        }
        h.lines++;
    }
    return rc != 0 ? rc : rp_tell(me, rp_parent(me), &heard_type, &h);
}
static const rp_actor guest = {.name = "guest", .run = chat};

static int root(rp_self *me, void *arg)
{
    (void)arg;
    rp_ref room;
    struct heard h, first = {0, 0};
    rp_msg *m;
    int same = 0, rc = rp_group_start(me, &(rp_spawn_opts){.name = "room"}, &room);
    for (int i = 0; i < GUESTS && rc == 0; i++)
        rc = rp_spawn(me, &guest, &(rp_spawn_opts){.arg = &room, .on = RP_SPREAD}, NULL);
    for (int i = 0; i < 2 * GUESTS && rc == 0 && (rc = rp_recv(me, &m, RP_FOREVER)) == 0; i++) {
        h = *(const struct heard *)rp_body(m, &heard_type);
        rp_msg_drop(me, m);
        rc = i == GUESTS - 1 ? say(me, room, "good evening") : 0;
        first = i == GUESTS ? h : first;
        same += h.lines > 0 && h.order == first.order;
    }
    printf("%d guests heard %d lines each, %s\n", GUESTS, (int)first.lines, same == GUESTS ? "in one order" : "mixed up");
    return rc;
}

int main(void)
{
    return rp_run(&(rp_actor){.name = "root", .run = root}, NULL, &(rp_system_opts){.loops = 2}) != 0;
}
