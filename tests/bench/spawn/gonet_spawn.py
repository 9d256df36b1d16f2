"""gonet: go(fn), joined by a WaitGroup."""

from __future__ import annotations

from gonet import go, sync

from . import report

wg = sync.WaitGroup()


def work() -> None:
    wg.Done()


def batch(n: int) -> None:
    wg.Add(n)
    for _ in range(n):
        go(work)
    wg.Wait()


def single(n: int) -> None:
    for _ in range(n):
        wg.Add(1)
        go(work)
        wg.Wait()


report(batch, single)
