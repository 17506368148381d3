/* SPDX-License-Identifier: MIT
 *
 * Coroutines that wait while they handle an exception, and in a destructor that runs because of one: each goes on
 * with its own. Ends with 0.
 */
#include <reparto/reparto.h>

#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>

static int bad;

static void expect(bool is, const char *what, long i)
{
    if (!is)
        std::printf("task %ld: %s\n", i, what);
    bad += !is;
}

struct waits_at_its_end {
    rp_self *me;
    long i;
    int uncaught;
    ~waits_at_its_end()
    {
        expect(std::uncaught_exceptions() == uncaught + 1, "none is in flight", i);
        (void)!rp_sleep(me, rp_in_ms(me, 3 + i % 3));
        expect(std::uncaught_exceptions() == uncaught + 1, "another one's is in flight", i);
    }
};

static std::string text_of(long i)
{
    return "of task " + std::to_string(i);
}

static int task(rp_self *me, void *arg)
{
    long i = (long)arg;
    expect(std::uncaught_exceptions() == 0, "it begins with somebody's exception", i);
    try {
        waits_at_its_end w = {me, i, std::uncaught_exceptions()};
        try {
            throw std::runtime_error(text_of(i));
        } catch (std::exception &e) {
            (void)!rp_sleep(me, rp_in_ms(me, 5 * (i + 1))); /* the first that catches is the first that goes on */
            expect(e.what() == text_of(i), "what it handles is another one's", i);
            throw; /* the one that is being handled */
        }
    } catch (std::exception &e) {
        expect(e.what() == text_of(i), "it has thrown another one's again", i);
        (void)!rp_yield(me);
        expect(std::current_exception() != nullptr, "it handles nothing any more", i);
    }
    expect(std::current_exception() == nullptr, "it still handles something", i);
    return 0;
}

static int root(rp_self *me, void *)
{
    rp_scope s;
    int rc = 0;
    rp_scope_open(me, &s, RP_FOREVER);
    for (long i = 0; i < 5 && rc == 0; i++)
        rc = rp_go(me, &s, task, (void *)i, nullptr);
    return rp_scope_close(me, &s, rc);
}

int main()
{
    static rp_actor a = {};
    rp_system_opts o = {};
    a.name = "root";
    a.run = root;
    o.loops = 1;
    int rc = rp_run(&a, nullptr, &o);
    return rc != 0 || bad != 0;
}
