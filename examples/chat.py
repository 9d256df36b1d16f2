"""A chat server: a client's first line is its name, each further one goes to all the others (try it with nc).

    python examples/chat.py [HOST:PORT]     serve there, or on 127.0.0.1:8081; --demo: be three clients too, and end
"""

import sys
from contextlib import suppress

from gonet import chan, go, net, select, send, time
from runtime import Gosched, NumGoroutine

clients: dict[str, "Client"] = {}  # by name


class Client:  # two goroutines: handle reads its lines, write sends what is in its outbox; so nobody waits for it
    def __init__(self, conn: net.Conn) -> None:
        self.conn, self.outbox = conn, chan[str | None](100)  # None is the end

    def handle(self, name: str = "") -> None:
        go(self.write)
        with self.conn, suppress(OSError):
            self.conn.SetWriteBuffer(65536)  # what a slow reader leaves is to wait in its outbox
            lines = self.conn.makefile("r", encoding="utf-8", errors="replace")
            name = lines.readline(40).strip()
            if name and clients.setdefault(name, self) is self:
                self.tell(f"* {name} has joined\n")
                while line := lines.readline(1000):
                    self.tell(f"{name}: {line.rstrip()}\n")
                    Gosched()  # have it sent, lest many at once fill the outboxes
        if clients.get(name) is self:
            del clients[name]
            self.tell(f"* {name} has left\n")
        select(send(self.outbox, None), default=True)  # if it is full, write comes to an end by itself: conn is closed

    def tell(self, line: str) -> None:
        for other in set(clients.values()) - {self}:
            if select(send(other.outbox, line), default=True)[0] < 0:
                with suppress(net.ErrClosed):
                    other.conn.Close()  # it does not read: its handle and its write end

    def write(self) -> None:
        with suppress(OSError):  # the connection was closed
            while line := self.outbox.recv():
                self.conn.Write(line.encode())


def serve(ln: net.Listener) -> None:
    for conn in ln:
        go(Client(conn).handle)


def demo(ln: net.Listener) -> None:
    go(serve, ln)
    conns = {name: net.Dial("tcp", str(ln.Addr())) for name in ("bob", "ann", "eve")}
    for name, conn in conns.items():
        conn.Write(f"{name}\n".encode())
        while name not in clients:
            time.Sleep(0.001)
    bob = conns["bob"].makefile("r")  # ann waits for bob to have each line; eve never reads
    for number in range(1, 1001):
        conns["ann"].Write(f"line {number} {'.' * 900}\n".encode())
        while (line := bob.readline()).startswith("*"):
            print("bob reads:", line.rstrip())
    print("bob reads:", line[:20].rstrip())
    for conn in conns.values():
        conn.Close()
    while NumGoroutine() > 2:  # main and serve
        time.Sleep(0.001)


if __name__ == "__main__":
    address = sys.argv[1] if sys.argv[1:] else "127.0.0.1:8081"
    with net.Listen("tcp", "127.0.0.1:0" if address == "--demo" else address) as ln, suppress(KeyboardInterrupt):
        (demo if address == "--demo" else serve)(ln)
