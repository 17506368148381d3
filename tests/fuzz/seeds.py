#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""seeds.py DIR FUZZER: writes the first inputs of a fuzzer, a few sound sessions by docs/wire.md alone."""
import pathlib
import struct
import sys

KINDS = dict(bool=1, i16=3, u64=9, f64=11, chars=12, raw=13, ref=14, text=15, bytes=16)


def frame(kind, number, payload, flags=0):
    return struct.pack("<IBBH", len(payload), kind, flags, number) + payload


def name(text):
    return bytes([len(text)]) + text.encode()


def announce(type_name, fields):
    out = name(type_name) + bytes([len(fields)])
    for field, kind in fields:
        out += struct.pack("<BI", KINDS[kind], 6 if kind == "raw" else 0) + name(field)
    return out


ALL = [("b", "bool"), ("i16", "i16"), ("u64", "u64"), ("f64", "f64"), ("chars", "chars"), ("raw", "raw"),
       ("ref", "ref"), ("text", "text"), ("bytes", "bytes")]
BODY = (b"\1" + struct.pack("<hQd", -2, 1 << 60, 0.5) + struct.pack("<H", 3) + b"abc" + b"123456" +
        struct.pack("<QQ", 7, 8) + struct.pack("<I", 5) + b"hello" + struct.pack("<I", 2) + b"\0\xff")


def session(ipc, messages):
    out = b"\0SP\0\0\x11\0\0"
    for frames in messages:
        body = b"\0\0\0\1" + b"".join(frames)
        out += (b"\1" if ipc else b"") + struct.pack(">Q", len(body)) + body
    return out


def wire(to):
    sent = struct.pack("<QQ", 1, 2) + BODY
    sound = [[frame(8, 0, announce("all", ALL)), frame(16, 0, BODY)], [frame(16, 0, BODY), frame(5, 0, b"12345678")]]
    (to / "tcp").write_bytes(b"\0\2" + session(False, sound))
    (to / "ipc-pieces").write_bytes(b"\7\3" + session(True, sound))
    (to / "other-type").write_bytes(b"\0\2" + session(False, [[frame(8, 0, announce("other", ALL[:3])), frame(16, 0, b"\0\0\0" + b"8" * 8)]]))
    (to / "fewer").write_bytes(b"\0\2" + session(False, [[frame(8, 0, announce("all", ALL[4:6])), frame(16, 0, struct.pack("<H", 2) + b"zz123456")]]))
    (to / "real").write_bytes(b"\0\2" + session(False, [[frame(8, 0, announce("all", ALL)), frame(17, 0, sent, 2)]]))


# Steps of session_fuzz.c.
(BYE, PING, PONG, CREDIT, TYPE, SEND, CALL, REPLY, NO_REPLY, MONITOR, DOWN, STOP, LOOKUP, FOUND) = range(14)
SERVER, ROOT, ID = 1, 2, 3  # what the first word of a payload is
TIME, GONE = b"\x0b", b"\x09\0"
NOTE = struct.pack("<QQQ", 2, 0, 0)


def up(dialler):
    return b"\x08" + bytes([dialler]) + b"\x01\0\0\x08" + GONE + b"\x02" + GONE + b"\x03" + GONE


def say(kind, first, payload, flags=0):
    return bytes([4, kind, flags, 0, first, len(payload)]) + payload + GONE


def act(what):
    return bytes([6, what]) + GONE


def session_steps(to):
    announced = b"\x0a\1\0"
    numbered = struct.pack("<Q", 1)
    steps = {
        "send": announced + say(SEND, SERVER, numbered + NOTE) * 3,
        "kept": announced + say(SEND, SERVER, numbered + struct.pack("<QQQ", 4, 0, 0)) + say(BYE, 0, b"\0\0\0"),
        "slow": announced + say(SEND, SERVER, numbered + struct.pack("<QQQ", 3, 0, 0)) * 12 + TIME,
        "call": announced + say(CALL, SERVER, numbered * 2 + NOTE) + say(CALL, SERVER, numbered * 2 + b"\5\0\0\0" + NOTE, 2) + TIME,
        "passed-on": announced + say(CALL, SERVER, numbered * 2 + struct.pack("<QQQ", 5, 1000, 1)) +
                     say(REPLY, 0, b"\0" * 16 + struct.pack("<Q", 1 << 32 | 1) + NOTE) + TIME,
        "asked": act(2) + announced + say(REPLY, 0, b"\0" * 16 + struct.pack("<Q", 1 << 32 | 1) + NOTE) + TIME,
        "bad-reply": act(130) + announced + say(REPLY, 0, b"\0" * 16 + struct.pack("<Q", 1 << 32 | 1) + NOTE[:9]),
        "unknown-reply": act(130) + b"\x0a\0\0" + say(REPLY, 0, b"\0" * 16 + struct.pack("<Q", 1 << 32 | 1) + b"\1\0\0\0\0\0\0\0"),
        "bad-down": act(3) + say(DOWN, ID, struct.pack("<iB", -5, 2) + b"xyz"),
        "no-reply": act(2) + say(NO_REPLY, ID, struct.pack("<i", -5)),
        "lost-call": act(2) + say(BYE, 0, b"\0\0\0"),
        "watched": say(MONITOR, SERVER, numbered) + say(MONITOR, ROOT, numbered) + say(STOP, SERVER, b"") + TIME,
        "watches": act(3) + act(4) + say(DOWN, ID, struct.pack("<iB", -5, 2) + b"xy") + say(BYE, 0, b"\0\0\0"),
        "names": say(LOOKUP, 0, numbered + b"\6server") + say(LOOKUP, 0, numbered + b"\2zz", 4) + TIME,
        "found": act(5) + say(FOUND, ID, struct.pack("<iQ", 0, 7)) + act(5) + TIME,
        "full": act(1) * 100 + say(CREDIT, 0, struct.pack("<QQ", 1, 1 << 20)) + act(0) * 3,
        "alive": say(PING, 0, b"12345678") + TIME * 3 + say(PONG, 0, b"12345678") + TIME * 9,
    }
    for name_, rest in steps.items():
        for dialler in 0, 1:
            (to / f"{name_}-{dialler}").write_bytes(up(dialler) + rest)


def main():
    to = pathlib.Path(sys.argv[1])
    to.mkdir(parents=True, exist_ok=True)
    {"wire_fuzz": wire, "session_fuzz": session_steps}[sys.argv[2]](to)


main()
