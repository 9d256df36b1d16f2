"""gonet: channels, select, sync.Mutex, Gosched, time.AfterFunc; joined by Gosched until no other goroutine is left."""

from __future__ import annotations

from functools import cache

from gonet import chan, go, net, recv, select
from gonet.sync import Mutex
from gonet.time import AfterFunc, Now
from runtime import Gosched, NumGoroutine

from . import report

HOUR = 3600.0


def round_trip(n: int) -> None:
    there, back = chan(), chan()

    def answer() -> None:
        for _ in range(n):
            back.send(there.recv())

    go(answer)
    for i in range(n):
        there.send(i)
        back.recv()


def buffered(n: int) -> None:
    ch = chan(16)
    for i in range(n):
        ch.send(i)
        ch.recv()


def stream(n: int) -> None:
    ch = chan(16)

    def produce() -> None:
        for i in range(n):
            ch.send(i)
        ch.close()

    go(produce)
    for _ in ch:
        pass


def select_ready(n: int) -> None:
    a, b = chan(1), chan(1)
    for i in range(n // 2):
        a.send(i)
        select(recv(a), recv(b))
        b.send(i)
        select(recv(a), recv(b))


def select_wait(n: int) -> None:
    a, b = chan(), chan()

    def send() -> None:
        for i in range(n // 2):
            a.send(i)
            b.send(i)

    go(send)
    for _ in range(n // 2 * 2):
        select(recv(a), recv(b))


def mutex(n: int) -> None:
    mu = Mutex()
    for _ in range(n):
        mu.Lock()
        mu.Unlock()


def gosched(n: int) -> None:
    go(_yield, n // 2)
    _yield(n // 2)
    _join()


def _yield(n: int) -> None:
    for _ in range(n):
        Gosched()


def timer(n: int) -> None:
    for _ in range(n):
        AfterFunc(HOUR, _nothing).Stop()


def deadline(n: int) -> None:
    conn = _connection()
    for _ in range(n):
        conn.SetReadDeadline(Now() + HOUR)


@cache
def _connection() -> net.Conn:
    with net.Listen("tcp", "127.0.0.1:0") as ln:
        return net.Dial("tcp", str(ln.Addr()))


def _nothing() -> None:
    pass


def _join() -> None:
    while NumGoroutine() > 1:
        Gosched()


class Crowd:
    def __init__(self) -> None:
        self.ch = chan()
        self.count = 0

    def single(self, n: int) -> None:
        for _ in range(n):
            go(_nothing)
            _join()

    def park(self, n: int) -> None:
        ch = self.ch

        def wait() -> None:
            self.count += 1
            ch.recv()

        for _ in range(n):
            go(wait)
        while self.count < n:
            Gosched()

    def wake(self, n: int) -> None:
        assert NumGoroutine() == n + 1
        self.ch.close()
        _join()

    def start(self, n: int) -> None:
        for _ in range(n):
            go(self._run)
        assert self.count == 0

    def _run(self) -> None:
        self.count += 1

    def finish(self, n: int) -> None:
        _join()
        assert self.count == n


OPS = {
    "round_trip": round_trip,
    "buffered": buffered,
    "stream": stream,
    "select": select_ready,
    "select_wait": select_wait,
    "mutex": mutex,
    "gosched": gosched,
    "timer": timer,
    "deadline": deadline,
}

if __name__ == "__main__":
    report(OPS, Crowd())
