#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The ways in which others take the library: as a subproject, installed with pkg-config (shared and static), built by
# clang with every warning an error. Each in a folder of its own, from this tree.
set -u
here=$(cd "$(dirname "$0")/.." && pwd)
. "$here/tests/ok.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

quiet() { "$@" >"$work/log" 2>&1 || { tail -n 30 "$work/log"; return 1; }; }
says_hello() { [ "$("$@")" = "Hello, world." ]; }
awk '/^```c/{n++; on=1; next} /^```/{on=0} on && n==1' "$here/README.md" >"$work/hello.c"

# ---- as a subproject: the library alone
mkdir -p "$work/user/subprojects"
ln -s "$here" "$work/user/subprojects/reparto"
cp "$work/hello.c" "$work/user/"
cat >"$work/user/meson.build" <<'END'
project('user', 'c', default_options: ['werror=true'])
executable('hello', 'hello.c', dependencies: dependency('reparto', fallback: 'reparto'))
END
ok subproject_configures quiet meson setup "$work/user/build" "$work/user"
ok subproject_is_the_library_alone test -z "$(ninja -C "$work/user/build" -t targets all 2>/dev/null | grep -E 'reparto/(tests|bench|examples|tools)/')"
ok subproject_builds quiet ninja -C "$work/user/build" hello
ok subproject_works says_hello "$work/user/build/hello"

# ---- installed, as README says
off="-Dtests=disabled -Dbench=disabled -Dexamples=disabled"
ok release_configures quiet meson setup "$work/release" "$here" $off -Dbuildtype=release --prefix "$work/usr" --libdir lib
ok release_installs quiet meson install -C "$work/release"
export PKG_CONFIG_PATH=$work/usr/lib/pkgconfig
ok shared_compiles quiet cc -O2 -Wall -Werror -o "$work/shared" "$work/hello.c" $(pkg-config --cflags --libs reparto) -Wl,-rpath,"$work/usr/lib"
ok shared_works says_hello "$work/shared"
ok static_compiles quiet cc -O2 -static -o "$work/static" "$work/hello.c" $(pkg-config --static --cflags --libs reparto)
ok static_works says_hello "$work/static"
ok tool_is_there test -x "$work/usr/bin/reparto"

# ---- by another compiler
ok clang_configures quiet env CC=clang meson setup "$work/clang" "$here" -Dtests=disabled -Dbench=disabled -Dwerror=true
ok clang_builds quiet ninja -C "$work/clang"
ok clang_works says_hello "$work/clang/examples/01_hello"

all_told
