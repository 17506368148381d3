#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The rules that make the house readable, checked.

1. A room includes only itself and the rooms before it: see ROOMS.
2. No function is longer than 70 lines, unless a comment in front of it says why: "long: ...".
3. Only loop/base/os.c and the worlds read a clock, a random number or a pid.
4. Every file has its SPDX line.
5. What suspends, by its comment in include/, is cancelled at its wait by tests/stress/cancel.c.
6. Files and names of ours that comments and documents name exist.
7. Every error code of include/ has words of its own, and a row in docs/errors.md.
8. Every mutant still applies, with one line of context: as much as patch(1) insists on.
9. Every pointer that a function of include/ takes, but `me`, is NULL in some call of tests/actors/args_test.c.
"""
import glob
import re
import subprocess
import sys

FLOORS = ["loop", "mailbox", "actors", "cluster", "observe", "run"]

# Bottom to top. What each is for stands in TOUR.md.
ROOMS = [
    "loop/base", "loop/process", "loop/switch", "loop", "loop/watch", "loop/world",
    "mailbox", "mailbox/sync",
    "actors/table", "actors/mail", "actors/wait", "actors/life", "actors", "actors/cast",
    "cluster/wire", "cluster/link", "cluster/carriers", "cluster/remote",
    "observe", "run",
]
LONGEST = 70
failed = []


def check(ok, text):
    if not ok:
        failed.append(text)


def files(*patterns):
    out = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", *patterns],
                         capture_output=True, text=True, check=True).stdout.split()
    return [f for f in out if not f.startswith("build")]


def includes(path, text):
    room, floor = path.rpartition("/")[0], path.split("/")[0]
    if floor not in FLOORS:
        return
    check(room in ROOMS, f"{path} is in no room: see ROOMS in tests/structure.py")
    below = ROOMS[: ROOMS.index(room) + 1] if room in ROOMS else ROOMS
    floors = FLOORS[: FLOORS.index(floor) + 1]
    for inc in re.findall(r'#include "([^"]+)"', text):
        there, part = inc.rpartition("/")[0], inc.split("/")[1][:-2]
        if there == "reparto":
            check(part not in FLOORS or part in floors, f"{path} includes {inc}: not a floor below it")
        else:
            check(there in below, f"{path} includes {inc}: not a room below it")


def functions(path, text):
    """Yields (name, lines, what stands before) of each function: a brace in column 0 opens its body."""
    lines = text.split("\n")
    start = None
    for i, line in enumerate(lines):
        if line == "{":
            start = i
        elif line.startswith("}") and start is not None:
            head = start - 1
            while head > 0 and lines[head - 1].strip() and not lines[head - 1].startswith("}"):
                head -= 1
            yield lines[start - 1], i - start - 1, "\n".join(lines[max(0, head - 1):start])
            start = None


def lengths(path, text):
    for name, n, before in functions(path, text):
        check(n <= LONGEST or "long:" in before, f"{path}: {name.strip()} has {n} lines")


# The names of calls that decide something by the outside world.
OUTSIDE = re.compile(r"\b(clock_gettime|gettimeofday|time\(|uv_hrtime|uv_now|rand\(|random\(|getpid|getrandom)\b")
MAY = {"loop/base/os.c"}


def world(path, text):
    if path.split("/")[0] not in FLOORS or path in MAY:
        return
    for line in text.split("\n"):
        code = re.sub(r"/\*.*?\*/", "", line)
        if code.lstrip().startswith("*"):
            continue
        found = OUTSIDE.search(code)
        check(not found, f"{path}: {line.strip()}: only the world may ask that")


def spdx(path, text):
    check("SPDX-License-Identifier" in text[:200], f"{path} lacks its SPDX line")


def declarations(text):
    """Yields (name, comment) of each public function that takes a non-const rp_self: the comment on its own
    line, or the one in front of it, which a few declarations may share."""
    before = ""
    for m in re.finditer(r"(/\*.*?\*/)|(RP_EXPORT[^;]*;)[ \t]*(/\*.*?\*/)?|(\n[ \t]*\n)", text, re.S):
        comment, code, after, gap = m.groups()
        if code:
            if re.search(r"\((?:struct )?rp_self \*me\b", code):
                yield re.search(r"(\w+)\(", code).group(1), after or before
        elif comment:
            before = comment
        else:
            before = ""


WAITS = {"tests/stress/waits.c", "tests/stress/sync_waits.c"}
RESTS = "tests/actors/rests.c"


def suspending(path, text):
    if not path.startswith("include/"):
        return
    tried = set()
    for f in WAITS:
        tried |= set(re.findall(r'\{"(\w+)', open(f).read()))
    rested = set(re.findall(r'\{"(\w+)', open(RESTS).read()))
    for name, comment in declarations(text):
        says = re.sub(r"[Dd]oes not\s+(\*\s+)?suspend", "", comment)
        if re.search(r"\b[Ss]uspends?\b", says):
            check(name in tried, f"{path}: {name} suspends, and no wait of {sorted(WAITS)} tries it")
            check(name in rested, f"{path}: {name} suspends, and {RESTS} does not try whether it lets others run")


COMMENT = re.compile(r"/\*.*?\*/", re.S)
A_FILE = re.compile(r"(?<![\w/.<])(?:[\w-]+/)*[\w-]+\.(?:c|h|md|py|sh|pml)\b")
A_NAME = re.compile(r"\b(?:rp_|RP_)\w+")
INVENTED = {"hello.c"}  # the reader's own


def names():
    there = files()
    ends = {"/".join(f.split("/")[-n:]) for f in there for n in range(1, f.count("/") + 2)} | INVENTED
    said, known = {f: open(f).read() for f in files("*.md")}, set()
    said["CHANGELOG.md"] = re.sub(r"^\| [^|]+\|", "", said["CHANGELOG.md"], flags=re.M)  # old names, beside the new ones
    for path in files("*.c", "*.h"):
        with open(path) as f:
            text = f.read()
        said[path] = "\n".join(COMMENT.findall(text))
        known |= set(re.findall(r"\w+", COMMENT.sub(" ", text)))
    for path, text in said.items():
        for f in set(A_FILE.findall(text)):
            check(f in ends, f"{path} names {f}: there is no such file")
        for n in set(A_NAME.findall(text)):
            check(n in known or n.endswith("_"), f"{path} names {n}: there is no such thing")


A_CODE = re.compile(r"-(E[A-Z0-9]{2,})\b")


def codes():
    """What the headers say is returned has words of its own (loop/base/error.c) and a row in docs/errors.md; and what has
    words has a row, with those words."""
    said = dict(re.findall(r'\{(E\w+), "([^"]+)"\}', open("loop/base/error.c").read()))
    rows = dict(re.findall(r"^\| -(E\w+) \| ([^|]+) \|", open("docs/errors.md").read(), re.M))
    promised = {c: f for f in files("include/*.h") for c in A_CODE.findall(open(f).read())}
    for code, where in sorted(promised.items()):
        check(code in said, f"{where} names -{code}: loop/base/error.c has no words for it")
    for code, words in sorted(said.items()):
        check(rows.get(code) == words, f"docs/errors.md: -{code} is to be \"{words}\"")
    for code in rows.keys() - said.keys():
        check(False, f"docs/errors.md has -{code}: loop/base/error.c has not")


def mutants():
    for path in sorted(glob.glob("tests/mutants/*.patch")):
        out = subprocess.run(["git", "apply", "--check", "-C1", path], capture_output=True, text=True)
        check(out.returncode == 0, f"{path}: {out.stderr.strip()}")


ARGS = "tests/actors/args_test.c"


def arguments(text, at):
    """What stands between the bracket at `at` and its partner, cut at the commas that no other bracket holds."""
    parts, depth, start = [], 0, at + 1
    for i in range(at, len(text)):
        if text[i] in "([{":
            depth += 1
        elif text[i] in ")]}":
            depth -= 1
        if depth == 0 or (depth == 1 and text[i] == ","):
            parts.append(text[start:i].strip())
            start = i + 1
        if depth == 0:
            return parts
    return parts


def nulls():
    """Each pointer argument of each public function is tried with NULL."""
    tried = set()
    with open(ARGS) as f:
        text = COMMENT.sub(" ", f.read())
    for m in re.finditer(r"\brp_\w+(?=\()", text):
        tried |= {(m.group(), i) for i, a in enumerate(arguments(text, m.end())) if a == "NULL"}
    for path in files("include/*.h"):
        with open(path) as f:
            header = COMMENT.sub(" ", f.read())
        for m in re.finditer(r"RP_EXPORT[^;(]*?\b(rp_\w+)(?=\()", header):
            for i, a in enumerate(arguments(header, m.end())):
                if "*" in a and not re.search(r"\brp_self \*me$", a):
                    check((m.group(1), i) in tried, f"{path}: {ARGS} has no {m.group(1)} with NULL for `{a}`")


RULES = [includes, lengths, world, spdx, suspending]  # of each file
WHOLE = [names, codes, mutants, nulls]  # of the tree


def main():
    sizes = []
    broken = set()

    def hold(rule, *what):
        before = len(failed)
        rule(*what)
        if len(failed) > before:
            broken.add(rule)

    for path in files("*.c", "*.h"):
        with open(path) as f:
            text = f.read()
        for rule in RULES:
            hold(rule, path, text)
        if path.split("/")[0] in FLOORS:
            sizes += [n for _, n, _ in functions(path, text)]
    for rule in WHOLE:
        hold(rule)
    sizes.sort()
    print(f"functions: {len(sizes)}, median {sizes[len(sizes) // 2]} lines, 99 % {sizes[len(sizes) * 99 // 100]}")
    for f in failed:
        print("FAILED", f)
    print(f"{len(RULES + WHOLE) - len(broken)} passed, {len(broken)} failed")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
