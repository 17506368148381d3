#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the first inputs of a fuzzer into a directory: a few sound sessions, by docs/wire.md alone."""
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


def main():
    to = pathlib.Path(sys.argv[1])
    to.mkdir(parents=True, exist_ok=True)
    sent = struct.pack("<QQ", 1, 2) + BODY
    sound = [[frame(8, 0, announce("all", ALL)), frame(16, 0, BODY)], [frame(16, 0, BODY), frame(5, 0, b"12345678")]]
    (to / "tcp").write_bytes(b"\0\2" + session(False, sound))
    (to / "ipc-pieces").write_bytes(b"\7\3" + session(True, sound))
    (to / "other-type").write_bytes(b"\0\2" + session(False, [[frame(8, 0, announce("other", ALL[:3])), frame(16, 0, b"\0\0\0" + b"8" * 8)]]))
    (to / "fewer").write_bytes(b"\0\2" + session(False, [[frame(8, 0, announce("all", ALL[4:6])), frame(16, 0, struct.pack("<H", 2) + b"zz123456")]]))
    (to / "real").write_bytes(b"\0\2" + session(False, [[frame(8, 0, announce("all", ALL)), frame(17, 0, sent, 2)]]))


main()
