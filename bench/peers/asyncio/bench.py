# SPDX-License-Identifier: MIT
#
# bench.py - the questions in asyncio: `bench QUESTION` prints `QUESTION VALUE UNIT`.
#
# An actor is a task that gets from its own asyncio.Queue. Where nobody can have to wait it is put_nowait
# and get_nowait, which save a coroutine for each message; what answers only once is a future or the task
# itself. One interpreter runs one loop at a time: pingpong_two and oneway_two are left out, the other
# questions for two threads are answered by the one. Far fewer messages than in the others, 100,000 idle
# tasks and 250,000 timers; skynet has 100,000 leaves and its time is multiplied by ten. The collector
# stays on but looks less often than by default, as services set it that hold many objects.
import asyncio
import gc
import os
import resource
import sys
import time
from asyncio import Queue

try:
    import uvloop
    uvloop.install()
except ImportError:
    pass
gc.set_threshold(100000, 50, 50)


def check(ok):
    if not ok:
        sys.exit("wrong result")


async def rate(n, run):
    """Runs a tenth of n to warm up, then n, and returns how many per second."""
    await run(n // 10)
    start = time.perf_counter()
    await run(n)
    return n / (time.perf_counter() - start)


def rss():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def numbers(x):
    while True:
        x = x * 16807 % 2147483647
        yield x


async def pingpong(n):
    ping, pong = Queue(1), Queue(1)

    async def echo():
        while True:
            pong.put_nowait(await ping.get() + 1)

    echoing = asyncio.create_task(echo())
    for i in range(n):
        ping.put_nowait(i)
        check(await pong.get() == i + 1)
    echoing.cancel()


def fanin(producers):
    async def run(n):
        box, each = Queue(1024), n // producers

        async def produce():
            put, full = box.put_nowait, box.full
            for i in range(1, each + 1):
                if full():
                    await box.put(i)
                else:
                    put(i)

        tasks = [asyncio.create_task(produce()) for _ in range(producers)]
        total, get, empty = 0, box.get_nowait, box.empty
        for _ in range(producers * each):
            total += await box.get() if empty() else get()
        check(total == producers * each * (each + 1) // 2)
        await asyncio.wait(tasks)
    return run


async def ring(size, hops):
    done, boxes = Queue(), [Queue(1) for _ in range(size)]

    async def hop(box, to):
        while True:
            n = await box.get()
            if n == 0:
                done.put_nowait(0)
            else:
                to.put_nowait(n - 1)

    async def run(n):
        boxes[0].put_nowait(n)
        check(await done.get() == 0)

    tasks = [asyncio.create_task(hop(boxes[i], boxes[(i + 1) % size])) for i in range(size)]
    value = await rate(hops, run)
    for task in tasks:
        task.cancel()
    return value


async def spawn_die(n):
    loop = asyncio.get_running_loop()

    async def actor(box):
        return await box + 1

    for i in range(n):
        box = loop.create_future()
        task = loop.create_task(actor(box))
        box.set_result(i)
        check(await task == i + 1)


async def fork_join(n):
    loop, batch = asyncio.get_running_loop(), 40000  # live at a time, as in Savina

    async def actor(box):
        return await box

    for _ in range(max(n // batch, 1)):
        tasks = []
        for i in range(batch):
            box = loop.create_future()
            tasks.append(loop.create_task(actor(box)))
            box.set_result(i)
        total = 0
        for task in tasks:
            total += await task
        check(total == batch * (batch - 1) // 2)


async def node(create_task, num, size):
    if size == 1:
        return num
    part = size // 10
    tasks = [create_task(node(create_task, num + i * part, part)) for i in range(10)]
    total = 0
    for task in tasks:
        total += await task
    return total


async def skynet():
    size, create_task = 100000, asyncio.get_running_loop().create_task
    for _ in range(2):  # the first warms up
        start = time.perf_counter()
        check(await create_task(node(create_task, 0, size)) == size * (size - 1) // 2)
    return (time.perf_counter() - start) * 1000000 / size


async def idle():
    n, done = 100000, Queue()

    async def wait(box):
        done.put_nowait(await box.get())

    before = rss()
    boxes = [Queue(1) for _ in range(n)]
    tasks = [asyncio.create_task(wait(box)) for box in boxes]
    await asyncio.sleep(0)
    used, total = rss() - before, 0
    for i, box in enumerate(boxes):
        box.put_nowait(i)
        total += await done.get()
    check(total == n * (n - 1) // 2)
    await asyncio.wait(tasks)
    return used / n


async def timers():
    loop, n = asyncio.get_running_loop(), 250000
    left, done = n, asyncio.Event()

    def fire():
        nonlocal left
        left -= 1
        if left == 0:
            done.set()

    before = time.process_time_ns()
    for i in range(n):
        loop.call_later((1 + i * 7919 % 1000) / 1000, fire)
    await done.wait()
    return (time.process_time_ns() - before) / n


async def big(n):
    actors, stop = 120, None  # a ping is who sends it and a number, a pong the number alone
    pings, boxes, done = n // 2 // actors, [Queue() for _ in range(actors)], Queue()

    async def actor(me, box):
        random, left, seen = numbers(me + 1), pings, 0
        others = [other for other in boxes if other is not box]
        x = next(random)
        others[x % 119].put_nowait((me, x))
        while True:
            m = await box.get()
            if m is stop:
                return seen
            elif type(m) is tuple:
                seen += 1
                boxes[m[0]].put_nowait(m[1])
            else:
                check(m == x)
                left -= 1
                if left > 0:
                    x = next(random)
                    others[x % 119].put_nowait((me, x))
                else:
                    done.put_nowait(None)

    tasks = [asyncio.create_task(actor(me, box)) for me, box in enumerate(boxes)]
    for _ in tasks:
        await done.get()
    for box in boxes:
        box.put_nowait(stop)
    check(sum([await task for task in tasks]) == pings * actors)


async def bounded_buffer(n):
    buffer, each = Queue(100), n // 4

    async def produce():
        put, full = buffer.put_nowait, buffer.full
        for i in range(1, each + 1):
            if full():
                await buffer.put(i)
            else:
                put(i)

    async def consume():
        total, get, empty = 0, buffer.get_nowait, buffer.empty
        for _ in range(each):
            total += await buffer.get() if empty() else get()
        return total

    consumers = [asyncio.create_task(consume()) for _ in range(4)]
    producers = [asyncio.create_task(produce()) for _ in range(4)]
    check(sum([await task for task in consumers]) == 4 * each * (each + 1) // 2)
    await asyncio.wait(producers)


async def banking(n):
    count, replies, random = 1000, Queue(), numbers(1)
    boxes, want = [Queue(64) for _ in range(count)], [0] * count

    async def account(box):
        balance, credited = 0, Queue(1)
        while True:
            to, amount, reply = await box.get()
            if amount is None:
                return balance
            if to:
                balance -= amount
                await to.put((None, amount, credited))
                await credited.get()
            else:
                balance += amount
            reply.put_nowait(None)

    tasks = [asyncio.create_task(account(box)) for box in boxes]
    for _ in range(n):
        source = next(random) % (count // 10 * 8)
        to = source + 1 + next(random) % (count - source - 1)  # upwards: no circle of waiting accounts
        amount = 1 + next(random) % 1000
        want[source] -= amount
        want[to] += amount
        await boxes[source].put((boxes[to], amount, replies))
    for _ in range(n):
        await replies.get()
    for box in boxes:
        box.put_nowait((None, None, None))
    check([await task for task in tasks] == want)


async def chameneos(n):
    creatures, mall = 100, Queue()

    async def creature(colour):
        me, met = Queue(2), 0
        while True:
            mall.put_nowait((colour, me))
            other, who = await me.get()
            if other is None:
                return met
            if who:
                if other != colour:
                    colour = 3 - colour - other
                who.put_nowait((colour, None))
            else:
                colour = other
            met += 1

    tasks = [asyncio.create_task(creature(i % 3)) for i in range(creatures)]
    for _ in range(n):
        _, first = await mall.get()
        first.put_nowait(await mall.get())
    for _ in tasks:
        _, who = await mall.get()
        who.put_nowait((None, None))
    check(sum([await task for task in tasks]) == 2 * n)


async def fanin_rss():
    await fanin(8)(1000000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


QUESTIONS = {
    "pingpong_one": ("rt/s", lambda: rate(300000, pingpong)),
    "oneway_one": ("msg/s", lambda: rate(2000000, fanin(1))),
    "fanin_8": ("msg/s", lambda: rate(2000000, fanin(8))),
    "fanin_8_rss": ("MB", fanin_rss),
    "ring_503": ("hops/s", lambda: ring(503, 400000)),
    "ring_100k": ("hops/s", lambda: ring(100000, 200000)),
    "spawn_die": ("actors/s", lambda: rate(300000, spawn_die)),
    "skynet": ("s", skynet),
    "idle_bytes": ("B", idle),
    "timers_1m": ("ns", timers),
    "big": ("msg/s", lambda: rate(500000, big)),
    "bounded_buffer": ("items/s", lambda: rate(2000000, bounded_buffer)),
    "banking": ("transactions/s", lambda: rate(150000, banking)),
    "chameneos": ("meetings/s", lambda: rate(200000, chameneos)),
    "fork_join_create": ("actors/s", lambda: rate(160000, fork_join)),
}


def main():
    name = " ".join(sys.argv[1:])
    if name not in QUESTIONS:
        print("no such question", file=sys.stderr)
        sys.exit(2)
    unit, run = QUESTIONS[name]
    print(f"{name} {asyncio.run(run()):.3f} {unit}")


main()
