// SPDX-License-Identifier: MIT
//
// bench.cpp - the questions on Boost.Fiber 1.74: `bench QUESTION` prints `QUESTION VALUE UNIT`.
//
// An actor is a fiber that pops from its own buffered_channel, of the capacity that the other peers have,
// rounded up to a power of two as it must be. Two threads run the library's work_stealing, whose idle
// thread sleeps: where the fibers run is the scheduler's choice, and it steals little. Only skynet, which
// has work for both, is faster with an idle thread that spins; everywhere else that steals the very fiber
// about to be answered. Stacks are from malloc or, where one thread makes and ends many, from a pool;
// 8 kB where there are many. A timer takes a fiber, a million of them 8 GB: timers_1m is left out, and
// idle_bytes counts 100,000. NDEBUG and -z now keep assertions and the lazy binding off the small stacks.
#include <boost/fiber/all.hpp>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace fibers = boost::fibers;
using u64 = uint64_t;
template <class T>
using channel = fibers::buffered_channel<T>;
using box = channel<u64>;
using fibers::fiber;

static fibers::fixedsize_stack small{8192};
static fibers::pooled_fixedsize_stack pool{8192, 1024}; // only for one thread

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

static double rss()
{
    long size = 0, pages = 0;
    FILE* f = fopen("/proc/self/statm", "r");
    check(f && fscanf(f, "%ld %ld", &size, &pages) == 2);
    fclose(f);
    return static_cast<double>(pages) * sysconf(_SC_PAGESIZE);
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

// Runs it with a second thread that steals fibers.
template <class Run>
double two(bool sleepy, Run run)
{
    bool done = false;
    std::mutex lock;
    fibers::condition_variable_any changed;
    std::thread other([&] {
        fibers::use_scheduling_algorithm<fibers::algo::work_stealing>(2, sleepy);
        std::unique_lock<std::mutex> guard(lock);
        changed.wait(guard, [&] { return done; });
    });
    fibers::use_scheduling_algorithm<fibers::algo::work_stealing>(2, sleepy);
    double value = 0;
    fiber([&] { value = run(); }).join();
    {
        std::unique_lock<std::mutex> guard(lock);
        done = true;
    }
    changed.notify_all();
    other.join();
    return value;
}

static void pingpong(u64 n)
{
    box ping(2), pong(2);
    fiber other([&] {
        for (u64 v : ping)
            pong.push(v + 1);
    });
    for (u64 i = 0; i < n; i++) {
        ping.push(i);
        check(pong.value_pop() == i + 1);
    }
    ping.close();
    other.join();
}

static void fanin(u64 producers, u64 n)
{
    box to(1024);
    u64 each = n / producers, sum = 0;
    for (u64 p = 0; p < producers; p++)
        fiber([&] {
            for (u64 i = 1, e = each; i <= e; i++)
                to.push(i);
        }).detach();
    for (u64 i = 0; i < producers * each; i++)
        sum += to.value_pop();
    check(sum == producers * each * (each + 1) / 2);
}

static void oneway(u64 n)
{
    fanin(1, n);
}

static void fanin_8(u64 n)
{
    fanin(8, n);
}

static double ring(u64 size, u64 hops)
{
    box done(2);
    std::deque<box> boxes;
    std::vector<fiber> all;
    for (u64 i = 0; i < size; i++)
        boxes.emplace_back(2);
    for (u64 i = 0; i < size; i++)
        all.emplace_back(std::allocator_arg, small, [&done, &in = boxes[i], &out = boxes[(i + 1) % size]] {
            for (u64 v : in)
                (v == 0 ? done : out).push(v == 0 ? 0 : v - 1);
        });
    double value = rate(hops, [&](u64 n) {
        boxes[0].push(n);
        check(done.value_pop() == 0);
    });
    for (auto& b : boxes)
        b.close();
    for (auto& f : all)
        f.join();
    return value;
}

static void spawn_die(u64 n)
{
    box done(2);
    for (u64 i = 0; i < n; i++) {
        box in(2);
        fiber actor(std::allocator_arg, pool, [&] { done.push(in.value_pop() + 1); });
        in.push(i);
        check(done.value_pop() == i + 1);
        actor.join();
    }
}

static void fork_join(u64 n)
{
    constexpr u64 batch = 40000; // live at a time, as in Savina
    for (; n >= batch; n -= batch) {
        std::deque<box> boxes;
        std::vector<fiber> all;
        u64 sum = 0;
        for (u64 i = 0; i < batch; i++) {
            box& in = boxes.emplace_back(2);
            all.emplace_back(std::allocator_arg, pool, [&] { sum += in.value_pop(); });
            in.push(i);
        }
        for (auto& f : all)
            f.join();
        check(sum == batch * (batch - 1) / 2);
    }
}

static void node(box& up, u64 num, u64 size)
{
    if (size == 1) {
        up.push(num);
        return;
    }
    box in(16);
    for (u64 i = 0; i < 10; i++)
        fiber(fibers::launch::dispatch, std::allocator_arg, small, [&in, num, size, i] {
            node(in, num + i * (size / 10), size / 10);
        }).detach();
    u64 sum = 0;
    for (u64 i = 0; i < 10; i++)
        sum += in.value_pop();
    up.push(sum);
}

static double skynet()
{
    double start = 0;
    box in(2);
    for (int i = 0; i < 2; i++) { // the first warms up
        start = seconds();
        fiber([&] { node(in, 0, 1000000); }).detach();
        check(in.value_pop() == 499999500000);
    }
    return seconds() - start;
}

static double idle()
{
    constexpr u64 n = 100000;
    box done(1024);
    std::deque<fibers::unbuffered_channel<u64>> boxes;
    double before = rss();
    for (u64 i = 0; i < n; i++) {
        auto& in = boxes.emplace_back();
        fiber(std::allocator_arg, small, [&] { done.push(in.value_pop()); }).detach();
    }
    boost::this_fiber::yield();
    double used = rss() - before;
    u64 sum = 0;
    for (u64 i = 0; i < n; i++) {
        boxes[i].push(i);
        sum += done.value_pop();
    }
    check(sum == n * (n - 1) / 2);
    return used / n;
}

static void big(u64 n)
{
    constexpr u64 actors = 120;
    enum { ping, pong, stop };
    struct msg {
        uint32_t kind, from;
        u64 n; // of a ping; its pong brings it back
    };
    u64 pings = n / 2 / actors;
    box handled(128), done(128);
    std::deque<channel<msg>> boxes;
    for (u64 i = 0; i < actors; i++)
        boxes.emplace_back(128); // a ping of each of the others, a pong, a stop: nobody ever waits to send
    for (uint32_t me = 0; me < actors; me++)
        fiber([&, me] {
            u64 x = me + 1, left = pings, seen = 0;
            auto next = [&] {
                u64 to = modulo(x, actors - 1);
                boxes[to + (to >= me)].push({ping, me, x});
            };
            next();
            for (msg m : boxes[me]) {
                if (m.kind == ping) {
                    seen++;
                    boxes[m.from].push({pong, me, m.n});
                } else if (m.kind == stop) {
                    handled.push(seen);
                    return;
                } else {
                    check(m.n == x);
                    if (--left > 0)
                        next();
                    else
                        done.push(1);
                }
            }
        }).detach();
    for (u64 i = 0; i < actors; i++)
        done.value_pop();
    u64 sum = 0;
    for (auto& b : boxes) {
        b.push({stop, 0, 0});
        sum += handled.value_pop();
    }
    check(sum == pings * actors);
}

static void bounded_buffer(u64 n)
{
    box buffer(128), sums(4);
    u64 each = n / 4, sum = 0;
    for (int i = 0; i < 4; i++) {
        fiber([&] {
            for (u64 i = 1, e = each; i <= e; i++)
                buffer.push(i);
        }).detach();
        fiber([&] {
            u64 sum = 0;
            for (u64 i = 0, e = each; i < e; i++)
                sum += buffer.value_pop();
            sums.push(sum);
        }).detach();
    }
    for (int i = 0; i < 4; i++)
        sum += sums.value_pop();
    check(sum == 4 * each * (each + 1) / 2);
}

struct transfer {
    channel<transfer>* to; // where to credit the amount; nullptr: credit it here
    int64_t amount;
    box* reply;
};

static void banking(u64 n)
{
    constexpr u64 accounts = 1000, round = 50000;
    channel<int64_t> balances(1024);
    box replies(65536); // no account waits for the teller
    std::deque<channel<transfer>> boxes;
    for (u64 i = 0; i < accounts; i++)
        boxes.emplace_back(64);
    for (auto& in : boxes)
        fiber([&] {
            int64_t balance = 0;
            box credited(2);
            for (transfer m : in) {
                if (m.to) {
                    balance -= m.amount;
                    m.to->push({nullptr, m.amount, &credited});
                    credited.value_pop();
                } else {
                    balance += m.amount;
                }
                m.reply->push(0);
            }
            balances.push(balance);
        }).detach();
    u64 x = 1;
    std::vector<int64_t> want(accounts);
    for (; n > 0; n -= round) {
        for (u64 i = 0; i < round; i++) {
            u64 from = modulo(x, accounts / 10 * 8);
            u64 to = from + 1 + modulo(x, accounts - from - 1); // upwards: no circle of waiting accounts
            auto amount = static_cast<int64_t>(1 + modulo(x, 1000));
            want[from] -= amount;
            want[to] += amount;
            boxes[from].push({&boxes[to], amount, &replies});
        }
        for (u64 i = 0; i < round; i++)
            replies.value_pop();
    }
    for (u64 i = 0; i < accounts; i++) {
        boxes[i].close();
        check(balances.value_pop() == want[i]);
    }
}

static void chameneos(u64 n)
{
    constexpr u64 creatures = 100;
    enum { meet, change, leave };
    struct msg {
        uint32_t kind, colour;
        channel<msg>* from;
    };
    channel<msg> mall(128);
    box counts(128);
    for (uint32_t i = 0; i < creatures; i++)
        fiber([&, colour = i % 3]() mutable {
            channel<msg> me(4);
            u64 met = 0;
            for (;; met++) {
                mall.push({meet, colour, &me});
                msg m = me.value_pop();
                if (m.kind == leave)
                    break;
                if (m.kind == change) {
                    colour = m.colour;
                } else {
                    if (colour != m.colour)
                        colour = 3 - colour - m.colour;
                    m.from->push({change, colour, nullptr});
                }
            }
            counts.push(met);
        }).detach();
    for (u64 i = 0; i < n; i++) {
        msg first = mall.value_pop();
        first.from->push(mall.value_pop());
    }
    u64 sum = 0;
    for (u64 i = 0; i < creatures; i++) {
        mall.value_pop().from->push({leave, 0, nullptr});
        sum += counts.value_pop();
    }
    check(sum == 2 * n);
}

static void throughput(u64 n)
{
    constexpr u64 workers = 60;
    box sums(64);
    std::deque<box> boxes;
    for (u64 i = 0; i < workers; i++)
        boxes.emplace_back(1024);
    for (auto& in : boxes)
        fiber([&] {
            u64 sum = 0;
            for (u64 v : in)
                sum += v;
            sums.push(sum);
        }).detach();
    u64 each = n / workers;
    for (u64 v = 1; v <= each; v++)
        for (auto& to : boxes)
            to.push(v);
    for (auto& to : boxes) {
        to.close();
        check(sums.value_pop() == each * (each + 1) / 2);
    }
}

static void philosophers(u64 n)
{
    constexpr uint32_t seats = 20;
    enum { hungry, done };
    struct msg {
        uint32_t kind, seat;
    };
    u64 each = n / seats, meals = 0;
    channel<msg> waiter(64); // nobody waits to be heard
    std::deque<box> plates;
    std::vector<fiber> all;
    for (uint32_t i = 0; i < seats; i++)
        plates.emplace_back(2);
    for (uint32_t i = 0; i < seats; i++)
        all.emplace_back([&, i, each] {
            for (u64 k = 0; k < each; k++) {
                waiter.push({hungry, i});
                plates[i].value_pop();
                waiter.push({done, i});
            }
        });
    bool fork[seats] = {}, waiting[seats] = {};
    auto serve = [&](uint32_t i) {
        bool &l = fork[(i + seats - 1) % seats], &r = fork[i];
        waiting[i] = l || r;
        if (!waiting[i]) {
            l = r = true;
            plates[i].push(1);
        }
    };
    while (meals < each * seats) {
        msg m = waiter.value_pop();
        if (m.kind == hungry) {
            serve(m.seat);
            continue;
        }
        uint32_t before = (m.seat + seats - 1) % seats, after = (m.seat + 1) % seats;
        check(fork[before] && fork[m.seat]);
        fork[before] = fork[m.seat] = false;
        meals++;
        if (waiting[before])
            serve(before);
        if (waiting[after])
            serve(after);
    }
    for (auto& f : all)
        f.join();
}

struct question {
    const char* unit;
    double (*run)();
};

static const std::map<std::string, question> questions = {
    {"pingpong_one", {"rt/s", [] { return rate(6000000, pingpong); }}},
    {"pingpong_two", {"rt/s", [] { return two(true, [] { return rate(6000000, pingpong); }); }}},
    {"oneway_one", {"msg/s", [] { return rate(30000000, oneway); }}},
    {"oneway_two", {"msg/s", [] { return two(true, [] { return rate(30000000, oneway); }); }}},
    {"fanin_8", {"msg/s", [] { return two(true, [] { return rate(30000000, fanin_8); }); }}},
    {"fanin_8_rss", {"MB", [] {
        two(true, [] { return rate(8000000, fanin_8); });
        rusage u;
        getrusage(RUSAGE_SELF, &u);
        return u.ru_maxrss * 1024 / 1e6;
    }}},
    {"ring_503", {"hops/s", [] { return ring(503, 10000000); }}},
    {"ring_100k", {"hops/s", [] { return ring(100000, 3000000); }}},
    {"spawn_die", {"actors/s", [] { return rate(2000000, spawn_die); }}},
    {"skynet", {"s", [] { return two(false, skynet); }}},
    {"idle_bytes", {"B", idle}},
    {"big", {"msg/s", [] { return two(true, [] { return rate(10000000, big); }); }}},
    {"bounded_buffer", {"items/s", [] { return two(true, [] { return rate(20000000, bounded_buffer); }); }}},
    {"banking", {"transactions/s", [] { return two(true, [] { return rate(2000000, banking); }); }}},
    {"chameneos", {"meetings/s", [] { return two(true, [] { return rate(2000000, chameneos); }); }}},
    {"fork_join_create", {"actors/s", [] { return rate(1200000, fork_join); }}},
    {"fork_join_throughput", {"msg/s", [] { return two(true, [] { return rate(10000000, throughput); }); }}},
    {"philosophers", {"meals/s", [] { return two(true, [] { return rate(1000000, philosophers); }); }}},
};

int main(int argc, char** argv)
{
    auto q = questions.find(argc == 2 ? argv[1] : "");
    if (q == questions.end()) {
        fputs("no such question\n", stderr);
        return 2;
    }
    printf("%s %.3f %s\n", argv[1], q->second.run(), q->second.unit);
}
