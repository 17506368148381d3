#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compiles every C block of README.md and docs/, every example and every header as a user would: gcc and clang, -O2 and
-O3, -Wall -Wextra -Werror; the headers in C11, C17 and C++11 to C++20. Runs what is a program, also under ASan with
detect_stack_use_after_return.

    run.py BUILD BUILD_ASAN      both with libreparto.so

A block is fenced with ```c, or indented by four spaces and calls something of reparto. One that is no whole file has a
comment before it that says what stands around it, with the block at `@`, or lines of it at `@1-3`:

    <!-- c
    int f(rp_self *me) { int rc;
    @
    return rc; }
    -->
"""
import concurrent.futures, os, re, subprocess, sys, tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
WARN = ["-Wall", "-Wextra", "-Werror"]
INCLUDE = ["-I", str(TOP / "include"), "-I", str(TOP / "tests/blocks"), "-D_GNU_SOURCE"]
HEAD = "#include <reparto/reparto.h>\n#include <errno.h>\n#include <signal.h>\n#include <stdio.h>\n#include <string.h>\n"
RUNS = {"01_hello": [], "02_ping_pong": ["1000"], "04_call": [], "06_bounded_buffer": [], "07_supervisor": [], "09_bank": [],
        "11_barber": [], "12_embed": [], "13_drain": []}


def blocks(path):
    """(line, text, surroundings or None) of each block of C."""
    found, around, lines, i = [], None, path.read_text().split("\n"), 0
    while i < len(lines):
        if lines[i].startswith("<!-- c"):
            end = next(k for k in range(i, len(lines)) if lines[k].endswith("-->"))
            around, i = "\n".join(lines[i + 1:end]), end + 1
            continue
        if lines[i].startswith("```"):
            end = next(k for k in range(i + 1, len(lines)) if lines[k].startswith("```"))
            if lines[i] == "```c":
                found.append((i + 1, "\n".join(lines[i + 1:end]), around))
                around = None
            i = end + 1
            continue
        if lines[i].startswith("    ") and (i == 0 or not lines[i - 1].strip()):
            end = i
            while end < len(lines) and (lines[end].startswith("    ") or not lines[end].strip()):
                end += 1
            text = "\n".join(l[4:] for l in lines[i:end]).rstrip()
            if around is not None or (re.search(r"\brp_\w+\(|\brp_\w+ \*?\w+ = ", text) and ";" in text and not text.startswith("$")):
                found.append((i + 1, text, around))
                around = None
            i = end
            continue
        i += 1
    return found


def whole(text, around):
    if around is None:
        return text if "#include" in text else HEAD + text + "\n"
    lines = text.split("\n")
    out = []
    for line in around.split("\n"):
        m = re.fullmatch(r"@(?:(\d+)-(\d+))?", line.strip())
        if not m:
            out.append(line)
        elif m[1]:
            out += lines[int(m[1]) - 1:int(m[2])]
        else:
            out += lines
    return HEAD + "\n".join(out) + "\n"


def run(cmd, **kw):
    p = subprocess.run(cmd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", timeout=120, **kw)
    return p.returncode, p.stdout


def refused(cmd):
    rc, out = run(cmd)
    return rc == 0, "it compiles" if rc == 0 else out


class Checks:
    def __init__(self, build, asan, work):
        self.build, self.asan, self.work, self.jobs = build, asan, Path(work), []

    def add(self, name, fn, *args):
        self.jobs.append((name, fn, args))

    def compiles(self, name, source, flags=()):
        for cc in ("gcc", "clang"):
            for level in ("-O2", "-O3"):
                obj = self.work / f"{name.replace('/', '_').replace(':', '_')}.{cc}{level}.o"
                self.add(f"{name} {cc} {level}", run, ["ccache"] * bool(CCACHE) + [cc, *WARN, level, *INCLUDE, *flags, "-c", str(source), "-o", str(obj)])

    def program(self, name, source, args, want=None):
        for cc in ("gcc", "clang"):
            for level in ("-O2", "-O3"):
                self.add(f"{name} runs, {cc} {level}", self.build_and_run, name, [cc, level], source, self.build, args, want, {})
        env = {"ASAN_OPTIONS": "detect_stack_use_after_return=1"}
        for level in ("-O1", "-O2"):
            self.add(f"{name} runs under ASan, {level}", self.build_and_run, name,
                     ["gcc", level, "-g", "-fsanitize=address,undefined"], source, self.asan, args, want, env)

    def build_and_run(self, name, cc, source, lib, args, want, env):
        exe = self.work / (re.sub(r"\W", "_", name + "".join(cc)))
        rc, out = run([*cc, *INCLUDE, str(source), "-o", str(exe), f"{lib}/libreparto.so", f"-Wl,-rpath,{Path(lib).resolve()}", "-luv", "-lpthread"])
        if rc != 0:
            return rc, out
        rc, out = run([str(exe), *args], env={**os.environ, **env})
        if rc == 0 and want is not None and out.strip() != want:
            return 1, f"it prints {out!r}, not {want!r}"
        return rc, out

    def headers(self):
        for h in sorted((TOP / "include/reparto").glob("*.h")):
            use = self.work / f"use_{h.stem}.c"
            use.write_text(f"#include <reparto/{h.name}>\n#include <reparto/{h.name}>\n")
            for cc in ("gcc", "clang"):
                for std in ("c11", "c17"):
                    self.add(f"{h.name} {cc} {std}", run, [cc, f"-std={std}", *WARN, "-Wpedantic", *INCLUDE, "-fsyntax-only", str(use)])
        for cc in ("g++", "clang++"):
            for std in ("c++11", "c++14", "c++17", "c++20"):
                self.add(f"cxx.cpp {cc} {std}", run, [cc, f"-std={std}", *WARN, "-O2", *INCLUDE, "-c", str(TOP / "tests/blocks/cxx.cpp"), "-o", "/dev/null"])
            self.add(f"cxx.cpp runs, {cc}", self.build_and_run, "cxx", [cc, "-O2"], TOP / "tests/blocks/cxx.cpp", self.build, [], "42", {})

    def mistakes(self):
        """What must not compile, beside what must."""
        for kind, member in (("RP_CHARS", "char *text"), ("RP_RAW", "const void *text"), (None, "char text[8]")):
            body = f"struct s {{ {member}; }};\nextern const rp_field f[];\nconst rp_field f[] = {{RP_FIELD(struct s, text, {kind or 'RP_CHARS'})}};\n"
            for cc, end in (("gcc", "c"), ("clang", "c"), ("g++", "cpp"), ("clang++", "cpp")):
                source = self.work / f"{kind}_over_a_pointer.{end}"
                source.write_text(HEAD + body)
                self.add(f"{kind or 'RP_CHARS'} of {member}, {cc}", refused if kind else run, [cc, *WARN, *INCLUDE, "-fsyntax-only", str(source)])

    def documents(self):
        for doc in [TOP / "README.md", *sorted((TOP / "docs").glob("*.md"))]:
            for line, text, around in blocks(doc):
                name = f"{doc.name}:{line}"
                source = self.work / (re.sub(r"\W", "_", name) + ".c")
                source.write_text(whole(text, around))
                self.compiles(name, source)
                if around is None and "int main(" in text:
                    self.program(name, source, [], "Hello, world." if "Hello" in text else None)

    def examples(self):
        for e in sorted((TOP / "examples").rglob("*.c")):
            name = str(e.relative_to(TOP))
            self.compiles(name, e, ["-I", str(TOP / "examples")])
            if e.stem in RUNS:
                self.program(name, e, RUNS[e.stem])


def main():
    build, asan = sys.argv[1:3]
    failed = 0
    with tempfile.TemporaryDirectory() as work:
        c = Checks(build, asan, work)
        c.headers()
        c.mistakes()
        c.documents()
        c.examples()
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            jobs = [(name, pool.submit(fn, *args)) for name, fn, args in c.jobs]
            for name, job in jobs:
                try:
                    rc, out = job.result()
                except subprocess.TimeoutExpired:
                    rc, out = 1, "it hangs"
                if rc != 0:
                    failed += 1
                    print(f"FAILED {name}\n{out}")
    print(f"{len(c.jobs) - failed} passed, {failed} failed")
    return failed != 0


CCACHE = any(os.access(Path(p) / "ccache", os.X_OK) for p in os.environ.get("PATH", "").split(":"))
if __name__ == "__main__":
    sys.exit(main())
