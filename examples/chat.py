"""A chat server: whoever connects gives a name, and every line goes to all the others (try it with nc).

A client is two goroutines: handle reads its lines, send writes what is in its outbox. Who does not read, and lets the
outbox fill up, is disconnected; nobody waits for a slow reader.

    python examples/chat.py [HOST:PORT]     serve there, or on 127.0.0.1:8081, until Ctrl-C
    python examples/chat.py --demo          serve on a free port, be three clients, and end
"""

import sys
from collections import deque
from contextlib import suppress

import runtime
from gonet import go, net, time
from runtime.sema import Sema, semacquire, semrelease

ROOM = 100  # lines in an outbox
clients: dict[str, "Client"] = {}  # by name


class Client:
    def __init__(self, conn: net.Conn) -> None:
        self.conn, self.outbox, self.filled = conn, deque[str](), Sema()  # filled: a permit for each line

    def put(self, line: str) -> None:
        if line and len(self.outbox) >= ROOM:
            with suppress(net.ErrClosed):
                self.conn.Close()  # ends handle and send
        else:
            self.outbox.append(line)
            semrelease(self.filled)

    def send(self) -> None:
        with self.conn, suppress(OSError):  # the connection is closed at the end, which ends handle
            while line := (semacquire(self.filled), self.outbox.popleft())[1]:  # "" is the last
                self.conn.Write(line.encode())


def handle(conn: net.Conn) -> None:
    me, name = Client(conn), ""
    go(me.send)
    with suppress(OSError):
        conn.SetWriteBuffer(65536)  # what waits for a slow reader is to wait in the outbox
        me.put("* your name?\n")
        lines = conn.makefile("r", encoding="utf-8", errors="replace")
        name = lines.readline(40).strip()
        if name and clients.setdefault(name, me) is me:
            tell(me, f"* {name} has joined\n")
            while line := lines.readline(1000):
                tell(me, f"{name}: {line.rstrip()}\n")
        else:
            me.put("* that is no name, or somebody has it\n")
        conn.SetWriteDeadline(time.Now() + 5)  # for what is left in the outbox
    if clients.get(name) is me:
        del clients[name]
        tell(me, f"* {name} has left\n")
    me.put("")


def tell(sender: Client, line: str) -> None:
    for client in list(clients.values()):
        if client is not sender:
            client.put(line)
    runtime.Gosched()  # between the lines of a flood the others can send theirs


def demo() -> None:
    def join(name: str) -> net.Conn:
        ...


def serve(ln: net.Listener) -> None:
    for conn in ln:
        go(handle, conn)
