// SPDX-License-Identifier: MIT
//
// bench.cpp - the questions on CAF 0.17: `bench QUESTION` prints `QUESTION VALUE UNIT`.
//
// Event-based actors under the work-stealing scheduler, with as many workers as the question has cores, and
// with one on one core; where an actor runs is the scheduler's choice. A message is plain values, told apart
// by their types; an atom is left for what has no value. A reply is a send to a handle that was kept, which
// is half as dear as a returned value. Short-lived actors are spawned lazily (scheduled first by their
// first message, not before that to be initialized) and hidden (not counted by the system). Mailboxes are
// unbounded, so a producer of oneway and fanin keeps at most two bursts of 512 ahead of its consumer.
// CAF's streams carry many values in one message and so are no answer to that question; for the record,
// `bench oneway_one_stream` shows what they do.
#include <caf/all.hpp>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

using namespace caf;
using u64 = uint64_t;
using ack = atom_constant<atom("ack")>;
using stop = atom_constant<atom("stop")>;
using self_t = event_based_actor*;
constexpr auto brief = lazy_init + hidden;

static actor_system* sys;

static void check(bool ok)
{
    if (!ok) {
        fputs("wrong result\n", stderr);
        std::_Exit(1);
    }
}

static double seconds()
{
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

static double cpu_seconds()
{
    timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static double rss()
{
    long size = 0, pages = 0;
    FILE* f = fopen("/proc/self/statm", "r");
    check(f && fscanf(f, "%ld %ld", &size, &pages) == 2);
    fclose(f);
    return static_cast<double>(pages) * sysconf(_SC_PAGESIZE);
}

// Keeps this process on one core.
static void stay()
{
    cpu_set_t here;
    CPU_ZERO(&here);
    CPU_SET(sched_getcpu(), &here);
    check(sched_setaffinity(0, sizeof here, &here) == 0);
}

static u64 modulo(u64& x, u64 n)
{
    x = x * 16807 % 2147483647;
    return x % n;
}

// Runs a tenth of n to warm up, then n, and returns how many per second.
template <class Run>
double rate(u64 n, Run run)
{
    run(n / 10);
    double start = seconds();
    run(n);
    return n / (seconds() - start);
}

// Waits for the next number sent to this thread.
static u64 answer(scoped_actor& me)
{
    u64 sum = 0;
    me->receive([&](u64 v) { sum = v; });
    return sum;
}

// Spawns an actor with this thread as its last argument and waits for the number that it sends.
template <class F, class... Ts>
u64 ask(F actor_function, Ts... args)
{
    scoped_actor me{*sys};
    sys->spawn(actor_function, args..., actor{me});
    return answer(me);
}

static behavior pong(self_t self, actor ping)
{
    return {[=](u64 v) { self->send(ping, v + 1); }};
}

static behavior ping(self_t self, u64 n, actor done)
{
    auto other = self->spawn<linked>(pong, actor{self});
    self->send(other, u64{0});
    return {[=, i = u64{0}](u64 v) mutable {
        check(v == ++i);
        if (i < n) {
            self->send(other, i);
        } else {
            self->send(done, i);
            self->quit();
        }
    }};
}

struct tally {
    u64 seen = 0, sum = 0;
};

static behavior sink(stateful_actor<tally>* self, u64 n, actor done)
{
    return {
        [=](u64 v) {
            self->state.sum += v;
            if (++self->state.seen == n)
                self->send(done, self->state.sum);
        },
        [=](const actor& producer) { self->send(producer, ack::value); },
        [=](stop) { self->quit(); },
    };
}

static behavior producer(self_t self, actor to, u64 n)
{
    auto burst = [=, i = u64{0}]() mutable {
        for (int k = 0; k < 512 && i < n; k++)
            self->send(to, ++i);
        if (i < n)
            self->send(to, actor{self});
        else
            self->quit();
    };
    self->send(self, ack::value);
    self->send(self, ack::value);
    return {[=](ack) mutable { burst(); }};
}

static void fanin(u64 producers, u64 n)
{
    scoped_actor me{*sys};
    u64 each = n / producers;
    auto to = sys->spawn(sink, producers * each, actor{me});
    for (u64 i = 0; i < producers; i++)
        sys->spawn(producer, to, each);
    check(answer(me) == producers * each * (each + 1) / 2);
    me->send(to, stop::value);
}

static behavior counting_sink(self_t self, actor done)
{
    auto take = [](u64& sum, u64 v) { sum += v; };
    return {[=](const stream<u64>& in) {
        return attach_stream_sink(self, in, [](u64& sum) { sum = 0; }, take,
                                  [=](u64& sum, const error&) { self->send(done, sum); });
    }};
}

static void counting_source(self_t self, u64 n, actor done)
{
    auto push = [=](u64& i, downstream<u64>& out, size_t hint) {
        for (; hint > 0 && i < n; hint--)
            out.push(++i);
    };
    attach_stream_source(self, self->spawn(counting_sink, done), [](u64& i) { i = 0; }, push,
                         [=](const u64& i) { return i == n; });
}

static behavior hop(self_t self, actor done)
{
    return {[=](actor next) {
        self->become([=](u64 v) {
            if (v == 0)
                self->send(done, v);
            else
                self->send(next, v - 1);
        });
    }};
}

static double ring(u64 size, u64 hops)
{
    scoped_actor me{*sys};
    auto first = sys->spawn(hop, actor{me}), next = first;
    for (u64 i = 1; i < size; i++) {
        auto before = sys->spawn(hop, actor{me});
        me->send(before, next);
        next = before;
    }
    me->send(first, next);
    return rate(hops, [&](u64 n) {
        me->send(first, n);
        check(answer(me) == 0);
    });
}

static behavior mayfly(self_t self, actor up)
{
    return {[=](u64 v) {
        self->send(up, v + 1);
        self->quit();
    }};
}

static behavior spawner(self_t self, u64 n, actor done)
{
    auto one = [=](u64 i) { self->send(self->spawn<brief>(mayfly, actor{self}), i); };
    one(0);
    return {[=, i = u64{0}](u64 v) mutable {
        check(v == ++i);
        if (i < n) {
            one(i);
        } else {
            self->send(done, i);
            self->quit();
        }
    }};
}

// 40,000 live at a time, as in Savina.
static behavior forker(self_t self, u64 n, actor done)
{
    constexpr u64 batch = 40000;
    auto all = [=] {
        for (u64 i = 0; i < batch; i++)
            self->send(self->spawn<brief>(mayfly, actor{self}), i);
    };
    all();
    return {[=, sum = u64{0}, left = batch, batches = n / batch](u64 v) mutable {
        sum += v;
        if (--left > 0)
            return;
        check(sum == batch * (batch + 1) / 2);
        sum = 0;
        left = batch;
        if (--batches > 0) {
            all();
        } else {
            self->send(done, n);
            self->quit();
        }
    }};
}

static behavior node(self_t self, u64 num, u64 size, actor up)
{
    if (size == 1) {
        self->send(up, num);
        return {};
    }
    for (u64 i = 0; i < 10; i++)
        self->spawn<hidden>(node, num + i * (size / 10), size / 10, actor{self});
    return {[=, left = 10, sum = u64{0}](u64 v) mutable {
        sum += v;
        if (--left == 0) {
            self->send(up, sum);
            self->quit();
        }
    }};
}

static double skynet()
{
    double start = 0;
    for (int i = 0; i < 2; i++) { // the first warms up
        start = seconds();
        check(ask(node, u64{0}, u64{1000000}) == 499999500000);
    }
    return seconds() - start;
}

static double idle()
{
    constexpr u64 n = 1000000;
    scoped_actor me{*sys};
    std::atomic<u64> ready{0};
    std::vector<actor> all;
    all.reserve(n);
    double before = rss();
    for (u64 i = 0; i < n; i++)
        all.push_back(sys->spawn<hidden>([&ready](self_t self, actor up) -> behavior {
            ready++;
            return {[=](u64 v) { self->send(up, v); }};
        }, actor{me}));
    while (ready < n)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    double used = rss() - before;
    u64 sum = 0;
    for (u64 i = 0; i < n; i++)
        me->send(all[i], i);
    for (u64 i = 0; i < n; i++)
        sum += answer(me);
    check(sum == n * (n - 1) / 2);
    return used / n;
}

static behavior ticker(self_t self, u64 n, actor done)
{
    for (u64 i = 0; i < n; i++)
        self->delayed_send(self, std::chrono::milliseconds(1 + i * 7919 % 1000), u64{1});
    return {[=, seen = u64{0}](u64 v) mutable {
        if ((seen += v) == n) {
            self->send(done, seen);
            self->quit();
        }
    }};
}

static double timers()
{
    constexpr u64 n = 1000000;
    double before = cpu_seconds();
    check(ask(ticker, n) == n);
    return (cpu_seconds() - before) * 1e9 / n;
}

struct peer_state {
    u64 x, left, seen = 0;
};
using peers_ptr = std::shared_ptr<std::vector<actor>>;

// A ping says who sends it and a number, which its pong brings back. The first pong starts it.
static behavior peer(stateful_actor<peer_state>* self, uint32_t me, u64 pings, peers_ptr peers, actor done)
{
    self->state.x = me + 1;
    self->state.left = pings + 1;
    return {
        [=](uint32_t from, u64 n) {
            self->state.seen++;
            self->send((*peers)[from], n);
        },
        [=](u64 n) {
            check(n == self->state.x);
            if (--self->state.left == 0) {
                self->send(done, u64{1});
                return;
            }
            u64 to = modulo(self->state.x, peers->size() - 1);
            self->send((*peers)[to + (to >= me)], me, u64{self->state.x});
        },
        [=](stop) {
            self->send(done, self->state.seen);
            self->quit();
        },
    };
}

static void big(u64 n)
{
    constexpr u64 actors = 120;
    scoped_actor me{*sys};
    auto peers = std::make_shared<std::vector<actor>>();
    for (uint32_t i = 0; i < actors; i++)
        peers->push_back(sys->spawn(peer, i, n / 2 / actors, peers, actor{me}));
    for (u64 i = 0; i < actors; i++)
        me->send((*peers)[i], i + 1);
    for (u64 i = 0; i < actors; i++)
        check(answer(me) == 1);
    u64 sum = 0;
    for (auto& a : *peers)
        me->send(a, stop::value);
    for (u64 i = 0; i < actors; i++)
        sum += answer(me);
    check(sum == n / 2 / actors * actors);
}

struct buffer_state {
    std::deque<u64> items;
    std::deque<std::pair<actor, u64>> full; // the producers that wait with their item
    std::deque<actor> empty;                // the consumers that wait
};

static behavior buffer(stateful_actor<buffer_state>* self)
{
    return {
        [=](u64 v) {
            auto& s = self->state;
            auto from = actor_cast<actor>(self->current_sender());
            if (s.items.size() == 100) {
                s.full.emplace_back(std::move(from), v);
                return;
            }
            self->send(from, ack::value);
            if (s.empty.empty()) {
                s.items.push_back(v);
            } else {
                self->send(s.empty.front(), v);
                s.empty.pop_front();
            }
        },
        [=](ack) {
            auto& s = self->state;
            auto from = actor_cast<actor>(self->current_sender());
            if (s.items.empty()) {
                s.empty.push_back(std::move(from));
                return;
            }
            self->send(from, s.items.front());
            s.items.pop_front();
            if (!s.full.empty()) {
                self->send(s.full.front().first, ack::value);
                s.items.push_back(s.full.front().second);
                s.full.pop_front();
            }
        },
        [=](stop) { self->quit(); },
    };
}

static behavior put_all(self_t self, u64 n, actor to)
{
    self->send(to, u64{1});
    return {[=, i = u64{1}](ack) mutable {
        if (i++ < n)
            self->send(to, i);
        else
            self->quit();
    }};
}

static behavior get_all(self_t self, u64 n, actor from, actor done)
{
    self->send(from, ack::value);
    return {[=, sum = u64{0}, left = n](u64 v) mutable {
        sum += v;
        if (--left > 0) {
            self->send(from, ack::value);
        } else {
            self->send(done, sum);
            self->quit();
        }
    }};
}

static void bounded_buffer(u64 n)
{
    scoped_actor me{*sys};
    auto items = sys->spawn(buffer);
    u64 each = n / 4, sum = 0;
    for (int i = 0; i < 4; i++) {
        sys->spawn(put_all, each, items);
        sys->spawn(get_all, each, items, actor{me});
    }
    for (int i = 0; i < 4; i++)
        sum += answer(me);
    check(sum == 4 * each * (each + 1) / 2);
    me->send(items, stop::value);
}

struct transfer {
    actor other;
    int64_t amount; // negative: to debit here
};

struct account_state {
    int64_t balance = 0;
    bool waiting = false; // until the other account has credited
    std::deque<transfer> later;
};

static behavior account(stateful_actor<account_state>* self, actor teller)
{
    auto handle = [=](transfer t) {
        auto& s = self->state;
        if (s.waiting) {
            s.later.push_back(std::move(t));
            return;
        }
        s.balance += t.amount;
        s.waiting = t.amount < 0;
        if (s.waiting)
            self->send(t.other, -t.amount);
        else
            self->send(t.other, ack::value);
    };
    return {
        [=](const actor& to, int64_t amount) { handle({to, -amount}); },
        [=](int64_t amount) { handle({actor_cast<actor>(self->current_sender()), amount}); },
        [=](ack) {
            auto& s = self->state;
            s.waiting = false;
            self->send(teller, u64{0});
            while (!s.waiting && !s.later.empty()) {
                handle(std::move(s.later.front()));
                s.later.pop_front();
            }
        },
        [=](stop) {
            self->send(teller, static_cast<u64>(self->state.balance));
            self->quit();
        },
    };
}

static behavior teller(self_t self, u64 n, actor done)
{
    constexpr u64 count = 1000, batch = 50000;
    std::vector<actor> accounts;
    auto want = std::make_shared<std::vector<int64_t>>(count);
    for (u64 i = 0; i < count; i++)
        accounts.push_back(self->spawn(account, actor{self}));
    auto round = [=, x = u64{1}]() mutable {
        for (u64 i = 0; i < batch; i++) {
            u64 from = modulo(x, count / 10 * 8);
            u64 to = from + 1 + modulo(x, count - from - 1); // upwards: no circle of waiting accounts
            auto amount = static_cast<int64_t>(1 + modulo(x, 1000));
            (*want)[from] -= amount;
            (*want)[to] += amount;
            self->send(accounts[from], accounts[to], amount);
        }
    };
    round();
    return {[=, left = batch, rounds = n / batch](u64 v) mutable {
        if (rounds == 0) // a balance: they are asked one after the other
            check(static_cast<int64_t>(v) == (*want)[count - left]);
        if (--left > 0) {
            if (rounds == 0)
                self->send(accounts[count - left], stop::value);
            return;
        }
        if (rounds == 0) {
            self->send(done, u64{0});
            self->quit();
        } else if (--rounds > 0) {
            round();
            left = batch;
        } else {
            self->send(accounts[0], stop::value);
            left = count;
        }
    }};
}

static behavior creature(self_t self, uint32_t first, actor mall, actor done)
{
    struct state {
        uint32_t colour;
        u64 met = 0;
    };
    auto s = std::make_shared<state>(state{first});
    auto again = [=] {
        s->met++;
        self->send(mall, s->colour);
    };
    self->send(mall, s->colour);
    return {
        [=](const actor& other, uint32_t colour) {
            if (s->colour != colour)
                s->colour = 3 - s->colour - colour;
            self->send(other, s->colour);
            again();
        },
        [=](uint32_t colour) {
            s->colour = colour;
            again();
        },
        [=](stop) {
            self->send(done, s->met);
            self->quit();
        },
    };
}

static behavior mall(self_t self, u64 n, u64 creatures)
{
    return {[=, meetings = n, left = creatures, first = actor{}](uint32_t colour) mutable {
        auto who = actor_cast<actor>(self->current_sender());
        if (meetings == 0) {
            self->send(who, stop::value);
            if (--left == 0)
                self->quit();
        } else if (!first) {
            first = std::move(who);
        } else {
            self->send(first, who, colour);
            first = nullptr;
            meetings--;
        }
    }};
}

static void chameneos(u64 n)
{
    constexpr u64 creatures = 100;
    scoped_actor me{*sys};
    auto place = sys->spawn(mall, n, creatures);
    for (uint32_t i = 0; i < creatures; i++)
        sys->spawn(creature, i % 3, place, actor{me});
    u64 sum = 0;
    for (u64 i = 0; i < creatures; i++)
        sum += answer(me);
    check(sum == 2 * n);
}

// The workers of a fork-join; the last one says after each burst that it has come so far.
static behavior dealer(self_t self, u64 n, actor done)
{
    constexpr u64 count = 60, burst = 64;
    u64 each = n / count;
    std::vector<actor> workers;
    for (u64 i = 0; i < count; i++)
        workers.push_back(self->spawn(sink, each, actor{self}));
    auto deal = [=, v = u64{0}]() mutable {
        for (u64 k = 0; k < burst && v < each; k++) {
            v++;
            for (auto& w : workers)
                self->send(w, v);
        }
        if (v < each)
            self->send(workers.back(), actor{self});
    };
    self->send(self, ack::value);
    self->send(self, ack::value);
    return {
        [=](ack) mutable { deal(); },
        [=, left = count, total = u64{0}](u64 sum) mutable {
            total += sum;
            if (--left == 0) {
                for (auto& w : workers)
                    self->send(w, stop::value);
                self->send(done, total);
                self->quit();
            }
        },
    };
}

using hungry = atom_constant<atom("hungry")>;
using eaten = atom_constant<atom("eaten")>;

struct table_state {
    bool fork[20] = {}, waiting[20] = {};
    actor who[20];
    u64 meals = 0;
};

static behavior waiter(stateful_actor<table_state>* self, u64 meals, actor done)
{
    auto serve = [=](uint32_t i) {
        auto& s = self->state;
        bool &l = s.fork[(i + 19) % 20], &r = s.fork[i];
        s.waiting[i] = l || r;
        if (!s.waiting[i]) {
            l = r = true;
            self->send(s.who[i], ack::value);
        }
    };
    return {
        [=](hungry, uint32_t i) {
            if (!self->state.who[i])
                self->state.who[i] = actor_cast<actor>(self->current_sender());
            serve(i);
        },
        [=](eaten, uint32_t i) {
            auto& s = self->state;
            uint32_t before = (i + 19) % 20, after = (i + 1) % 20;
            check(s.fork[before] && s.fork[i]);
            s.fork[before] = s.fork[i] = false;
            if (s.waiting[before])
                serve(before);
            if (s.waiting[after])
                serve(after);
            if (++s.meals == meals) {
                self->send(done, s.meals);
                self->quit();
            }
        },
    };
}

static behavior philosopher(self_t self, uint32_t i, u64 n, actor at)
{
    self->send(at, hungry::value, i);
    return {[=, left = n](ack) mutable {
        self->send(at, eaten::value, i);
        if (--left > 0)
            self->send(at, hungry::value, i);
        else
            self->quit();
    }};
}

static void philosophers(u64 n)
{
    scoped_actor me{*sys};
    u64 each = n / 20;
    auto at = sys->spawn(waiter, 20 * each, actor{me});
    for (uint32_t i = 0; i < 20; i++)
        sys->spawn(philosopher, i, each, at);
    check(answer(me) == 20 * each);
}

struct question {
    size_t threads;
    const char* unit;
    double (*run)();
};

static const std::map<std::string, question> questions = {
    {"pingpong_one", {1, "rt/s", [] { return rate(2000000, [](u64 n) { check(ask(ping, n) == n); }); }}},
    {"pingpong_two", {2, "rt/s", [] { return rate(2000000, [](u64 n) { check(ask(ping, n) == n); }); }}},
    {"oneway_one", {1, "msg/s", [] { return rate(10000000, [](u64 n) { fanin(1, n); }); }}},
    {"oneway_two", {2, "msg/s", [] { return rate(10000000, [](u64 n) { fanin(1, n); }); }}},
    {"fanin_8", {2, "msg/s", [] { return rate(10000000, [](u64 n) { fanin(8, n); }); }}},
    {"fanin_8_rss", {2, "MB", [] {
        fanin(8, 8000000);
        rusage u;
        getrusage(RUSAGE_SELF, &u);
        return u.ru_maxrss * 1024 / 1e6;
    }}},
    {"oneway_one_stream", {1, "items/s", [] { return rate(50000000, [](u64 n) {
        check(ask(counting_source, n) == n * (n + 1) / 2);
    }); }}},
    {"ring_503", {1, "hops/s", [] { return ring(503, 5000000); }}},
    {"ring_100k", {1, "hops/s", [] { return ring(100000, 2000000); }}},
    {"spawn_die", {1, "actors/s", [] { return rate(1000000, [](u64 n) { check(ask(spawner, n) == n); }); }}},
    {"skynet", {2, "s", skynet}},
    {"idle_bytes", {1, "B", idle}},
    {"timers_1m", {1, "ns", timers}},
    {"big", {2, "msg/s", [] { return rate(5000000, big); }}},
    {"bounded_buffer", {2, "items/s", [] { return rate(1000000, bounded_buffer); }}},
    {"banking", {2, "transactions/s", [] { return rate(1000000, [](u64 n) {
        check(ask(teller, n) == 0);
    }); }}},
    {"chameneos", {2, "meetings/s", [] { return rate(1000000, chameneos); }}},
    {"fork_join_throughput", {2, "msg/s", [] { return rate(2000000, [](u64 n) {
        check(ask(dealer, n) == 60 * ((n / 60) * (n / 60 + 1) / 2));
    }); }}},
    {"philosophers", {2, "meals/s", [] { return rate(400000, philosophers); }}},
    {"fork_join_create", {1, "actors/s", [] { return rate(800000, [](u64 n) {
        check(ask(forker, n) == n);
    }); }}},
};

int main(int argc, char** argv)
{
    auto q = questions.find(argc == 2 ? argv[1] : "");
    if (q == questions.end()) {
        fputs("no such question\n", stderr);
        return 2;
    }
    if (q->second.threads == 1)
        stay();
    actor_system_config config;
    config.set("scheduler.max-threads", q->second.threads);
    actor_system system{config};
    sys = &system;
    printf("%s %.3f %s\n", argv[1], q->second.run(), q->second.unit);
    fflush(stdout);
    std::_Exit(0); // the handles of a ring keep its actors, and the system would wait for them
}
