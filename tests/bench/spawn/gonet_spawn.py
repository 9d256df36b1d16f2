"""gonet: go(fn), and Gosched until it has finished."""

from __future__ import annotations

from gonet import go
from runtime import Gosched, NumGoroutine

from . import report


def work() -> None:
    pass


def batch(n: int) -> None:
    for _ in range(n):
        go(work)
    while NumGoroutine() > 1:
        Gosched()


def single(n: int) -> None:
    for _ in range(n):
        go(work)
        while NumGoroutine() > 1:
            Gosched()


report(batch, single)
