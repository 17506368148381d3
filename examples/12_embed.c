/* SPDX-License-Identifier: MIT
 *
 * 12 embed - a program with a libuv loop of its own takes a system of actors into it: no other thread is started.
 * Its timer asks by one bounded queue, actors work on it, and the answers come by another, whose descriptor
 * the host polls. SIGTERM, or five answers, and the actors end in order; then uv_run returns.
 */
#include <errno.h>
#include <reparto/reparto.h>
#include <signal.h>
#include <stdio.h>
#include <uv.h>

struct host {
    uv_timer_t timer;
    uv_poll_t readable;
    uv_signal_t term;
    rp_queue *questions, *answers;
    rp_system *actors;
    int asked, answered;
};

/* ---- the actors ---- */

static int root(rp_self *me, void *arg)
{
    struct host *h = arg;
    int n, rc;
    while ((rc = rp_queue_get(me, h->questions, &n, RP_FOREVER)) == 0) {
        n *= n;
        rc = rp_queue_put(me, h->answers, &n, RP_FOREVER);
        if (rc != 0)
            return rc;
    }
    return rc; /* -ECANCELED: the host has told us to quit */
}

/* ---- the host ---- */

static void on_timer(uv_timer_t *t)
{
    struct host *h = t->data;
    int n = h->asked + 1;
    if (h->asked < 5 && rp_queue_try_put(h->questions, &n) == 0) /* -EAGAIN: full. It never waits */
        h->asked++;
}

static void on_answer(uv_poll_t *p, int status, int events)
{
    struct host *h = p->data;
    int n;
    (void)status, (void)events;
    while (rp_queue_try_get(h->answers, &n) == 0) {
        printf("%d\n", n);
        if (++h->answered == 5)
            rp_quit(h->actors, "all answered");
    }
}

static void on_term(uv_signal_t *s, int signo)
{
    (void)signo;
    rp_quit(((struct host *)s->data)->actors, "SIGTERM");
}

static void on_end(void *ud, int result)
{
    struct host *h = ud;
    printf("the actors have ended%s\n", result == -ECANCELED ? ", as they were told" : "");
    uv_close((uv_handle_t *)&h->timer, NULL);
    uv_close((uv_handle_t *)&h->readable, NULL);
    uv_close((uv_handle_t *)&h->term, NULL);
}

int main(void)
{
    struct host h = {.asked = 0};
    uv_loop_t *loop = uv_default_loop();
    int rc = rp_queue_new(sizeof(int), 16, NULL, &h.questions);
    if (rc == 0)
        rc = rp_queue_new(sizeof(int), 16, NULL, &h.answers);
    if (rc == 0)
        rc = rp_attach(loop, &(rp_actor){.name = "root", .run = root}, &h, NULL, on_end, &h, &h.actors);
    if (rc != 0)
        return 1;
    uv_timer_init(loop, &h.timer);
    uv_poll_init(loop, &h.readable, rp_queue_fd(h.answers));
    uv_signal_init(loop, &h.term);
    h.timer.data = h.readable.data = h.term.data = &h;
    uv_timer_start(&h.timer, on_timer, 1, 1);
    uv_poll_start(&h.readable, UV_READABLE, on_answer);
    uv_signal_start(&h.term, on_term, SIGTERM);
    uv_run(loop, UV_RUN_DEFAULT);
    uv_loop_close(loop);
    rp_queue_free(h.questions);
    rp_queue_free(h.answers);
    return 0;
}
