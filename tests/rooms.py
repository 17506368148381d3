#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Which file calls which, by the symbols of the objects that were built: BUILD.

1. A file uses nothing that a room above it defines: what must go up goes by a table that the lower room declares.
2. Files that need each other in a circle are few: LARGEST in one, and at most a quarter in any.

-v shows the circles.
"""
import collections
import glob
import subprocess
import sys

from structure import ROOMS

LARGEST = 8


def objects(build):
    """File -> its object."""
    for room in ROOMS:
        for path in glob.glob(f"{room}/*.[cS]"):
            yield path[:-2], f"{build}/libreparto.a.p/{path.replace('/', '_')}.o"


def read(build):
    """File -> the files that it needs, with the symbols."""
    defines, wants = {}, {}
    for name, path in objects(build):
        wants[name] = set()
        for line in subprocess.run(["nm", path], capture_output=True, text=True, check=True).stdout.splitlines():
            kind, symbol = line.split()[-2:]
            if kind in "TDBRVWCG":
                defines[symbol] = name
            elif kind == "U":
                wants[name].add(symbol)
    needs = collections.defaultdict(lambda: collections.defaultdict(set))
    for name, symbols in wants.items():
        for s in symbols:
            if defines.get(s, name) != name:
                needs[name][defines[s]].add(s)
    return wants.keys(), needs


def circles(names, needs):
    """Tarjan's strongly connected components with more than one member."""
    index, low, stack, on, out = {}, {}, [], set(), []

    def visit(v):
        index[v] = low[v] = len(index)
        stack.append(v)
        on.add(v)
        for u in needs[v]:
            if u not in index:
                visit(u)
                low[v] = min(low[v], low[u])
            elif u in on:
                low[v] = min(low[v], index[u])
        if low[v] == index[v]:
            circle = []
            while not circle or circle[-1] != v:
                circle.append(stack.pop())
                on.discard(circle[-1])
            out.append(sorted(circle))

    for v in sorted(names):
        if v not in index:
            visit(v)
    return sorted((c for c in out if len(c) > 1), key=len, reverse=True)


def main():
    names, needs = read(sys.argv[1])
    place = {n: ROOMS.index(n.rpartition("/")[0]) for n in names}
    up = sorted((a, b, sorted(s)) for a in needs for b, s in needs[a].items() if place[b] > place[a])
    rings = circles(names, needs)
    inside = sum(map(len, rings))
    largest = len(rings[0]) if rings else 0
    wrong = [
        (f"{len(up)} pairs of files go up", len(up) > 0),
        (f"{largest} files in the largest circle, {LARGEST} may be", largest > LARGEST),
        (f"{inside} of {len(names)} files in circles, a quarter may be", 4 * inside > len(names)),
    ]
    if any(bad for _, bad in wrong) or "-v" in sys.argv:
        for a, b, s in up:
            print(f"{a} uses {', '.join(s)} of {b}, which is above it")
        for c in rings:
            print(f"a circle of {len(c)}: {' '.join(c)}")
    for text, bad in wrong:
        print(("FAILED " if bad else "") + text)
    failed = sum(bad for _, bad in wrong)
    print(f"{len(wrong) - failed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
