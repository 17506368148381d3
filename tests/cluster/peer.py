# SPDX-License-Identifier: MIT
"""A peer in another language, after docs/wire.md alone: what the page says must be enough to speak to a node.

    peer.py dial PORT SECRET     asks a node's actor "echo", monitors it, sees it end; 0: all was as the page says
    peer.py listen SECRET        prints its port, and answers a node that asks its actor "py" for n with n + 1
"""
import hashlib, hmac, os, socket, struct, sys

SP = bytes.fromhex("0053500000110000")
HELLO, AUTH, WELCOME, BYE, PING, PONG, CREDIT, TYPE = range(1, 9)
SEND, CALL, REPLY, NO_REPLY, MONITOR, DOWN, STOP, LOOKUP, FOUND = range(16, 25)
FORGET, DEMONITOR = 64, 65
NUM = b"\x08test.num\x02" + struct.pack("<BIB", 9, 0, 1) + b"n" + struct.pack("<BIB", 14, 0, 3) + b"ref"  # section 4


def num(n):
    return struct.pack("<QQQ", n, 0, 0)


class Link:
    """One stream, and the frames in it."""

    def __init__(self, stream, dials, secret):
        self.stream, self.secret, self.role, self.other = stream, secret, *((b"D", b"L") if dials else (b"L", b"D"))
        self.node, self.nonce = int.from_bytes(os.urandom(8), "little") | 1, os.urandom(16)
        self.bytes, self.frames, self.begun, self.numbers = b"", [], False, 0
        stream.settimeout(20)

    def say(self, kind, payload=b"", flags=0, number=0):
        body = struct.pack(">I", 1) + struct.pack("<IBBH", len(payload), kind, flags, number) + payload
        self.stream.sendall((b"" if self.begun else SP) + struct.pack(">Q", len(body)) + body)
        self.begun = True

    def exactly(self, n):
        while len(self.bytes) < n:
            more = self.stream.recv(65536)
            if not more:
                raise EOFError("it has closed")
            self.bytes += more
        out, self.bytes = self.bytes[:n], self.bytes[n:]
        return out

    def hear(self):
        while not self.frames:
            (n,) = struct.unpack(">Q", self.exactly(8))
            body = self.exactly(n)[4:]
            while body:
                n, kind, flags, number = struct.unpack_from("<IBBH", body)
                self.frames.append((kind, flags, number, body[8:8 + n]))
                body = body[8 + n:]
        return self.frames.pop(0)

    def expect(self, kind):
        """The next frame of that kind; PING is answered, and what needs no answer is passed over."""
        while True:
            got, _, number, payload = self.hear()
            if got == kind:
                return payload
            assert got in (PING, PONG, CREDIT, TYPE), f"{got}, not {kind}: {payload}"
            if got == PING:
                self.say(PONG, payload)

    def hello(self):
        self.say(HELLO, struct.pack("<IHHQ", 0x31545052, 1, 1, self.node) + self.nonce + struct.pack("<III", 262144, 1 << 20, 5000) + b"\x02py")

    def hear_hello(self):
        assert self.exactly(8) == SP
        hello = self.expect(HELLO)
        magic, low, high, self.peer = struct.unpack_from("<IHHQ", hello)
        assert magic == 0x31545052 and low <= 1 <= high
        self.peer_nonce = hello[16:32]

    def mac(self, role, first, second, one, two):
        return hmac.new(self.secret, b"reparto1" + role + first + second + struct.pack("<QQ", one, two), hashlib.sha256).digest()

    def auth(self):
        self.say(AUTH, self.mac(self.role, self.peer_nonce, self.nonce, self.node, self.peer))

    def hear_auth(self):
        assert self.expect(AUTH) == self.mac(self.other, self.nonce, self.peer_nonce, self.peer, self.node)


def dial(port, secret):
    k = Link(socket.create_connection(("127.0.0.1", int(port))), True, secret)
    k.hello()
    k.hear_hello()
    k.auth()
    k.hear_auth()
    k.expect(WELCOME)
    k.say(WELCOME)
    k.say(LOOKUP, struct.pack("<QB", 1, 6) + b"nobody")
    assert struct.unpack("<Qi", k.expect(FOUND)[:12]) == (1, -3)
    k.say(LOOKUP, struct.pack("<QB", 2, 4) + b"echo")
    question, error, echo = struct.unpack("<QiQ", k.expect(FOUND))
    assert (question, error) == (2, 0)
    k.say(TYPE, NUM, number=0)
    k.say(CALL, struct.pack("<QQQI", echo, 7, 5, 10000) + num(8), flags=2)
    to, _, call, n = struct.unpack_from("<QQQQ", k.expect(REPLY))
    assert (to, call, n) == (7, 5, 8)
    k.say(CALL, struct.pack("<QQQ", 99 << 40, 7, 6) + num(8))
    assert struct.unpack("<Qi", k.expect(NO_REPLY)) == (6, -3)
    for watch in (1, 2):
        k.say(MONITOR, struct.pack("<QQ", echo, watch))
    k.say(DEMONITOR, struct.pack("<QQ", echo, 1))
    k.say(SEND, struct.pack("<QQ", echo, 7) + num(0))  # it ends
    assert struct.unpack_from("<Qi", k.expect(DOWN)) == (2, 0)
    k.say(BYE, struct.pack("<HB", 0, 0))
    assert struct.unpack_from("<H", k.expect(BYE)) == (0,)


def serve(k):
    """Until the node leaves in peace."""
    k.hear_hello()
    k.hello()
    k.hear_auth()
    k.auth()
    k.say(WELCOME)
    k.expect(WELCOME)
    while True:
        kind, flags, _, payload = k.hear()
        if kind == PING:
            k.say(PONG, payload)
        elif kind == LOOKUP:
            k.say(FOUND, payload[:8] + struct.pack("<iQ", 0, 77))
        elif kind == CALL:
            to, of, call = struct.unpack_from("<QQQ", payload)
            (n,) = struct.unpack_from("<Q", payload, 24 + (4 if flags & 2 else 0))
            assert to == 77
            if k.numbers == 0:
                k.say(TYPE, NUM, number=0)
            k.numbers = 1
            k.say(CREDIT, struct.pack("<QQ", 77, len(payload) - 24 - (4 if flags & 2 else 0) + 16))
            k.say(REPLY, struct.pack("<QQQ", of, 77, call) + num(n + 1))
        elif kind == BYE:
            k.say(BYE, struct.pack("<HB", 0, 0))
            return
        else:
            assert kind in (TYPE, CREDIT, PONG), kind


def listen(secret):
    door = socket.create_server(("127.0.0.1", 0))
    door.settimeout(30)
    print(door.getsockname()[1], flush=True)
    while True:  # on a busy machine a node may lose its patience, and dial again
        k = Link(door.accept()[0], False, secret)
        try:
            return serve(k)
        except OSError as lost:
            print(lost, file=sys.stderr)
        except EOFError:
            pass


if sys.argv[1] == "dial":
    dial(sys.argv[2], sys.argv[3].encode())
else:
    listen(sys.argv[2].encode())
