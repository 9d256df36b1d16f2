"""gevent: queue.Channel and queue.Queue, lock.BoundedSemaphore, sleep(0), Timeout.

It has no select of queues. The nearest is wait() on two Events, which a value would have to be fetched beside; of all
that comes near it costs least: a greenlet for each of two get() would have to be started and killed besides. The crowd
waits for an Event, since a Queue takes time with the square of those that wait for it.
"""

from __future__ import annotations

import gevent
from gevent.event import Event
from gevent.lock import BoundedSemaphore
from gevent.queue import Channel, Queue

from . import report

HOUR = 3600.0


def round_trip(n: int) -> None:
    there, back = Channel(), Channel()

    def answer() -> None:
        for _ in range(n):
            back.put(there.get())

    other = gevent.spawn(answer)
    for i in range(n):
        there.put(i)
        back.get()
    other.join()


def buffered(n: int) -> None:
    queue = Queue(16)
    for i in range(n):
        queue.put(i)
        queue.get()


def stream(n: int) -> None:
    queue = Queue(16)

    def produce() -> None:
        for i in range(n):
            queue.put(i)
        queue.put(StopIteration)

    gevent.spawn(produce)
    for _ in queue:
        pass


def select_ready(n: int) -> None:
    events = Event(), Event()
    for i in range(n):
        events[i & 1].set()
        gevent.wait(events, count=1)[0].clear()


def select_wait(n: int) -> None:
    events = Event(), Event()

    def send() -> None:
        for i in range(n):
            events[i & 1].set()
            gevent.sleep(0)

    # Two values may be out by the time the wait ends.
    other = gevent.spawn(send)
    seen = 0
    while seen < n:
        for event in gevent.wait(events, count=1):
            event.clear()
            seen += 1
    other.join()


def mutex(n: int) -> None:
    lock = BoundedSemaphore(1)
    for _ in range(n):
        lock.acquire()
        lock.release()


def gosched(n: int) -> None:
    other = gevent.spawn(_yield, n // 2)
    _yield(n // 2)
    other.join()


def _yield(n: int) -> None:
    for _ in range(n):
        gevent.sleep(0)


def timer(n: int) -> None:
    for _ in range(n):
        gevent.Timeout.start_new(HOUR).close()


def deadline(n: int) -> None:
    timeout = gevent.Timeout.start_new(HOUR)
    for _ in range(n):
        timeout.close()
        timeout = gevent.Timeout.start_new(HOUR)
    timeout.close()


class Crowd:
    def __init__(self) -> None:
        self.event = Event()
        self.greenlets: list[gevent.Greenlet] = []
        self.count = 0

    def single(self, n: int) -> None:
        for _ in range(n):
            gevent.spawn(_nothing).join()

    def park(self, n: int) -> None:
        def wait() -> None:
            self.count += 1
            self.event.wait()

        self.greenlets = [gevent.spawn(wait) for _ in range(n)]
        while self.count < n:
            gevent.sleep(0)

    def wake(self, n: int) -> None:
        self.event.set()
        gevent.joinall(self.greenlets)

    def start(self, n: int) -> None:
        self.greenlets = [gevent.spawn(self._run) for _ in range(n)]
        assert self.count == 0

    def _run(self) -> None:
        self.count += 1

    def finish(self, n: int) -> None:
        gevent.joinall(self.greenlets)
        assert self.count == n


def _nothing() -> None:
    pass


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
