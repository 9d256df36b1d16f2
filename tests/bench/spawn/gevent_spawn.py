"""gevent: spawn, joined by joinall or join."""

from __future__ import annotations

import gevent

from . import report


def work() -> None:
    pass


def batch(n: int) -> None:
    gevent.joinall([gevent.spawn(work) for _ in range(n)])


def single(n: int) -> None:
    for _ in range(n):
        gevent.spawn(work).join()


report(batch, single)
