# SPDX-License-Identifier: MIT
"""Commands for gdb that know reparto: in a live process, or in a core file.

    (gdb) source /usr/share/reparto/gdb.py
    (gdb) reparto loops
    (gdb) reparto actors [WORD]      those whose name, kind, wait or ref has WORD in it; all
    (gdb) reparto bt REF|NAME        the stack of one that is suspended: an actor's, then its tasks'
    (gdb) reparto go REF|NAME [TASK] up, down, info locals and so on are in it, until
    (gdb) reparto back

It needs the debugging information of reparto itself. Nothing is called in the process and no register is
written: a parked stack is shown by an unwinder that says "the caller of the innermost frame is there", so
frame 0 is always the thread's own.
"""
import re
import struct

import gdb
import gdb.unwinder

REGS = {"i386:x86-64": ("rsp", "rip", "rbp"), "aarch64": ("sp", "pc", "x29")}
BUSY_DOING = {0: "running", 1: "waiting", 2: "ready"}
FLAGS = {"ENDING": 32, "DOWN": 2048, "DRAINS": 512, "DUE": 8192}
CHUNK = 16384


class Fail(gdb.GdbError):
    pass


# ---- memory, by structs' fields ---------------------------------------------------------------------

class Shape:
    """Where a struct's fields are; reads them from bytes, which is a hundred times faster than gdb.Value."""

    kept = {}

    def __init__(self, name):
        t = gdb.lookup_type(name)
        self.size = t.sizeof
        self.at = {}
        for f in t.fields():
            if f.name and hasattr(f, "bitpos"):
                self.at[f.name] = (f.bitpos // 8, f.type.strip_typedefs().sizeof)

    @classmethod
    def of(cls, name):
        if name not in cls.kept:
            cls.kept[name] = cls(name)
        return cls.kept[name]

    def get(self, raw, field, base=0):
        at, size = self.at[field]
        return int.from_bytes(raw[base + at:base + at + size], "little")


def read(addr, size):
    return gdb.selected_inferior().read_memory(addr, size).tobytes()


def text(addr, cache={}):
    if addr == 0:
        return ""
    if addr not in cache:
        try:
            cache[addr] = gdb.Value(addr).cast(gdb.lookup_type("char").pointer()).string("utf-8", "replace")
        except gdb.MemoryError:
            cache[addr] = "?"
    return cache[addr]


class Struct:
    def __init__(self, shape, addr, raw=None):
        self.shape, self.here = Shape.of(shape), addr
        self.raw = raw if raw is not None else read(addr, self.shape.size)

    def __getattr__(self, field):
        return self.shape.get(self.raw, field)


def list_at(head, shape, member):
    """What stands in an intrusive list."""
    offset = Shape.of(shape).at[member][0]
    at = Struct("struct rp__hook", head).next
    while at and at != head:
        yield Struct(shape, at - offset)
        at = Struct("struct rp__hook", at).next


# ---- systems, loops, actors -------------------------------------------------------------------------

def systems():
    try:
        head = int(gdb.parse_and_eval("&'fork.c'::all"))
    except gdb.error:
        raise Fail("no debugging information of reparto here")
    return list(list_at(head, "struct rp_system", "everywhere"))


def loops():
    for s in systems():
        raw = read(s.loops, 8 * s.nloops)
        for i in range(s.nloops):
            yield Struct("struct rp_loop", struct.unpack_from("<Q", raw, 8 * i)[0])


def ref_text(addr):
    return "%d.%d.%d" % (addr >> 54 & 0x1FF, addr >> 24 & 0x3FFFFFFF, addr & 0xFFFFFF | addr >> 63 << 24)


class Actor:
    def __init__(self, loop, a):
        self.loop, self.a = loop, a
        self.ref = ref_text(a.addr)
        self.kind = text(Struct("struct rp_actor", a.kind).name) if a.kind else "?"
        self.name = text(Struct("struct rp__extra", a.extra).name) if a.extra else ""
        self.co = Struct("struct rp_self", a.co) if a.co else None
        self.depth = Struct("struct rp__mailbox", a.box).count if a.box else 0
        self.doing, self.waits, self.on = self.state()

    def state(self):
        flags = self.a.flags
        if flags & FLAGS["DOWN"]:
            return "fallen", "", ""
        if flags & FLAGS["ENDING"]:
            return "ending", "", ""
        if self.co:
            return state_of(self.co)
        if self.loop.running and Struct("struct rp_self", self.loop.running).actor == self.a.here:
            return "running", "", ""
        return ("ready" if flags & (FLAGS["DRAINS"] | FLAGS["DUE"]) else "idle"), "", ""

    def cpu(self):
        """In ms, as far as somebody has asked for it."""
        c = Struct("struct rp__cpu", self.time_at)
        return c.ns // 1000000 if c.who == self.a.addr else 0

    def has(self, word):
        return any(word in s for s in (self.ref, self.kind, self.name, self.waits, self.doing))

    def tasks(self):
        return tasks_of(self.co) if self.co else []


def state_of(co):
    doing = BUSY_DOING.get(co.state, "?")
    if doing != "waiting":
        return doing, "", ""
    what = text(co.waits)
    if co.waits_node:
        return doing, what, ref_text(co.waits_on)
    if what in ("a lock", "a lock, again"):
        return doing, what, owner_of(Struct("struct rp__lock", co.waits_on).owner)
    if what in ("a lock, to read", "a lock, to write"):
        hold = Struct("struct rwlock", co.waits_on).holds
        return doing, what, owner_of(Struct("struct hold", hold).self if hold else 0)
    return doing, what, ""


def owner_of(owner):
    actor = Struct("struct rp_self", owner).actor if owner else 0
    return ref_text(Struct("struct rp__actor", actor).addr) if actor else ""


def tasks_of(co):
    """The tasks of a coroutine, and theirs, in the order in which rp_inspect numbers them."""
    found = []
    scope = co.scope
    while scope and scope != co.home:
        s = Struct("struct rp__scope", scope)
        for t in list_at(scope + s.shape.at["tasks"][0], "struct rp_self", "sibling"):
            found.append(t)
            found += tasks_of(t)
        scope = s.parent
    return found


def actors(l):
    """Of a loop."""
    if not l.actors:
        return
    t = Struct("struct rp__actors", l.actors)
    shape = Shape.of("struct rp__actor")
    for first in range(0, t.count, CHUNK):
        n = min(CHUNK, t.count - first)
        at = struct.unpack("<Q", read(t.chunk + 8 * (first // CHUNK), 8))[0]
        raw = read(at, n * shape.size)
        for i in range(n):
            if shape.get(raw, "addr", i * shape.size):
                a = Actor(l, Struct("struct rp__actor", at + i * shape.size, raw[i * shape.size:(i + 1) * shape.size]))
                a.time_at = at + CHUNK * shape.size + i * Shape.of("struct rp__cpu").size
                yield a


def find(who):
    """By ref or name; or by kind, if there is one of it."""
    of_kind = []
    for l in loops():
        for a in actors(l):
            if who in (a.ref, a.name):
                return a
            if who == a.kind:
                of_kind.append(a)
    if len(of_kind) == 1:
        return of_kind[0]
    raise Fail("%s: %s" % (who, "no such actor" if not of_kind else "there are %d; say which by its ref" % len(of_kind)))


# ---- stacks -----------------------------------------------------------------------------------------

class Parked(gdb.unwinder.Unwinder):
    """While it is on, the caller of the thread's innermost frame is a parked context."""

    def __init__(self):
        super().__init__("reparto")
        self.context = None

    def set(self, co):
        gdb.invalidate_cached_frames()
        self.context = None
        if co is None:
            return
        arch = gdb.newest_frame().architecture().name()
        if arch not in REGS:
            raise Fail("not on this machine: " + arch)
        self.regs = REGS[arch]
        self.innermost = int(gdb.newest_frame().read_register(self.regs[0]))
        at, size = co.shape.at["cx"]
        self.context = struct.unpack_from("<QQQ", co.raw, at)
        gdb.invalidate_cached_frames()

    def __call__(self, frame):
        if not self.context or int(frame.read_register(self.regs[0])) != self.innermost:
            return None
        word = gdb.lookup_type("unsigned long")
        # below what it leads to, or gdb takes the stack for a broken one
        here = FrameId(gdb.Value(self.context[0] - 16).cast(word), frame.read_register(self.regs[1]))
        info = frame.create_unwind_info(here)
        for name, value in zip(self.regs, self.context):
            info.add_saved_register(name, gdb.Value(value).cast(word))
        return info


class FrameId:
    def __init__(self, sp, pc):
        self.sp, self.pc = sp, pc


parked = Parked()
gdb.unwinder.register_unwinder(None, parked, replace=True)


def backtrace(co):
    """As gdb prints it, without the thread's own frame."""
    if co.state not in (1, 2):
        return "    it runs\n"
    parked.set(co)
    try:
        out = gdb.execute("bt", to_string=True)
    finally:
        parked.set(None)
    lines, shown = [], False
    for line in out.splitlines():
        m = re.match(r"#(\d+)(\s+)(.*)", line)
        shown = shown or bool(m and m.group(1) == "1")
        if shown:
            lines.append("#%-3d %s" % (int(m.group(1)) - 1, m.group(3)) if m else line)
    return "".join(line + "\n" for line in lines)


# ---- commands ---------------------------------------------------------------------------------------

class Reparto(gdb.Command):
    """Loops and actors of reparto, and their stacks. See `help reparto WORD`."""

    def __init__(self):
        super().__init__("reparto", gdb.COMMAND_DATA, prefix=True)


class Loops(gdb.Command):
    """reparto loops: what each loop has to do."""

    def __init__(self):
        super().__init__("reparto loops", gdb.COMMAND_DATA)

    def invoke(self, arg, from_tty):
        print("%-5s %10s %10s %8s %8s %8s %8s  %s" % ("LOOP", "TURNS", "WAKEUPS", "ACTORS", "QUEUED", "CPU MS", "OWN MS", "RUNS"))
        for l in loops():
            v = gdb.Value(l.here).cast(gdb.lookup_type("struct rp_loop").pointer())
            queued = int(v["events"]["count"])
            cpu, own = (int(v["profile"][sum]) // 1000000 for sum in ("all", "own"))
            live = Struct("struct rp__actors", l.actors).live if l.actors else 0
            running = Struct("struct rp_self", l.running) if l.running else None
            name = ""
            if running and running.actor and l.sleeping == 0:
                name = Actor(l, Struct("struct rp__actor", running.actor)).kind
            print("%-5d %10d %10d %8d %8d %8d %8d  %s" % (l.index, l.turns, l.wakeups, live, queued, cpu, own, name))


class Actors(gdb.Command):
    """reparto actors [WORD]: each actor, what it does and waits for; those with WORD somewhere in its line."""

    def __init__(self):
        super().__init__("reparto actors", gdb.COMMAND_DATA)

    def invoke(self, arg, from_tty):
        print("%-14s %-24s %-8s %-20s %-14s %7s %8s" % ("REF", "NAME", "DOING", "WAITS FOR", "OF", "DEPTH", "CPU MS"))
        for l in loops():
            for a in actors(l):
                if arg and not a.has(arg):
                    continue
                print("%-14s %-24s %-8s %-20s %-14s %7d %8d" % (a.ref, a.name or a.kind, a.doing, a.waits, a.on, a.depth, a.cpu()))
                for i, t in enumerate(a.tasks()):
                    print("%-14s   task %-17d %-8s %-20s %-14s" % (("", i + 1) + state_of(t)))


class Bt(gdb.Command):
    """reparto bt REF|NAME: the stack of a suspended actor, and of its tasks."""

    def __init__(self):
        super().__init__("reparto bt", gdb.COMMAND_STACK)

    def invoke(self, arg, from_tty):
        a = find(arg.strip())
        print("%s %s, %s%s" % (a.name or a.kind, a.ref, a.doing, a.waits and " for " + a.waits))
        if not a.co:
            print("    it has no stack")
            return
        print(backtrace(a.co), end="")
        for i, t in enumerate(a.tasks()):
            print("task %d, %s for %s" % ((i + 1,) + state_of(t)[:2]))
            print(backtrace(t), end="")


class Go(gdb.Command):
    """reparto go REF|NAME [TASK]: into its stack. `reparto back` leaves it."""

    def __init__(self):
        super().__init__("reparto go", gdb.COMMAND_STACK)

    def invoke(self, arg, from_tty):
        words = arg.split()
        if not words:
            raise Fail("whose?")
        a = find(words[0])
        all_of_it = [a.co] + a.tasks() if a.co else []
        n = int(words[1]) if len(words) > 1 else 0
        if n >= len(all_of_it) or all_of_it[n].state not in (1, 2):
            raise Fail("it has no stack, or runs")
        parked.set(all_of_it[n])
        gdb.execute("frame 1")


class Back(gdb.Command):
    """reparto back: to where the thread itself is."""

    def __init__(self):
        super().__init__("reparto back", gdb.COMMAND_STACK)

    def invoke(self, arg, from_tty):
        parked.set(None)
        gdb.execute("frame 0")


for command in (Reparto, Loops, Actors, Bt, Go, Back):
    command()
