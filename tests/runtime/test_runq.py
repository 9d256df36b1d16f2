"""Goroutines that go from one P's queue to others, at the moment when their own M is about to run them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

import runtime
from runtime import runq
from runtime.asm import gqueue
from runtime.gmp import G, M, P
from runtime.runq import runqdrain, runqsteal
from runtime.time import timers

pytestmark = pytest.mark.skipif(runtime.compiled, reason="there no other thread runs between the lines in question")


@pytest.fixture
def late():
    """(P, its M, a goroutine in its queue that the M runs, and queues again, just before it is taken out)."""

    class Queue(gqueue):
        def remove(self, gp):
            gp.m = mp
            gqueue.remove(self, gp)
            mp.blocked = 2  # it has seen the queue without gp

    mp, pp, gp = M(), P(1, timers()), G()
    pp.m, mp.p, pp.runq = mp, pp, Queue()
    pp.runq.append(gp)
    return pp, mp, gp


def test_what_a_thief_gives_back_is_seen_by_its_m(late, monkeypatch):
    other, mp, gp = late
    mine = P(0, timers())
    monkeypatch.setattr(runq, "sched", SimpleNamespace(seeded=False, allp=[mine, other]))
    assert runqsteal(mine) is None
    assert list(other.runq) == [gp] and not mine.runq
    assert mp.park.sleep(0)


def test_what_has_run_stays_on_a_retired_p(late, monkeypatch):
    pp, mp, gp = late
    queue = gqueue()
    monkeypatch.setattr(runq, "sched", SimpleNamespace(runq=queue))
    runqdrain(pp)
    assert list(pp.runq) == [gp] and not queue
    assert mp.park.sleep(0)
