"""The structs: how a goroutine describes itself, and which states and reasons there are."""

from __future__ import annotations

import copy
import pickle
import weakref

import pytest

import runtime
from runtime import gmp
from runtime.gmp import (
    G,
    P,
    WaitLock,
    _Gdead,
    _Gidle,
    _Grunnable,
    _Grunning,
    _Gsyscall,
    _Gwaiting,
    sched,
    waitReasonStrings,
)
from runtime.proc import getg
from runtime.sema import Sema, semacquire, semrelease
from runtime.time import timers
from tests.helpers import until_dead, until_state

pytestmark = pytest.mark.usefixtures("nothing_left_over")


def test_statuses_have_gos_numbers():
    assert (_Gidle, _Grunnable, _Grunning, _Gsyscall, _Gwaiting, _Gdead) == (0, 1, 2, 3, 4, 6)


def test_every_wait_reason_has_its_words():
    reasons = {name: n for name, n in vars(gmp).items() if name.startswith("waitReason") and isinstance(n, int)}
    assert sorted(reasons.values()) == list(range(len(waitReasonStrings)))
    assert len(set(waitReasonStrings)) == len(waitReasonStrings)


@pytest.mark.parametrize(
    "name, words",
    [
        ("waitReasonIOWait", "IO wait"),
        ("waitReasonChanReceive", "chan receive"),
        ("waitReasonChanSend", "chan send"),
        ("waitReasonSelect", "select"),
        ("waitReasonSelectNoCases", "select (no cases)"),
        ("waitReasonSleep", "sleep"),
        ("waitReasonSemacquire", "semacquire"),
        ("waitReasonChanReceiveNilChan", "chan receive (nil chan)"),
        ("waitReasonChanSendNilChan", "chan send (nil chan)"),
    ],
)
def test_wait_reasons_are_in_gos_words(name, words):
    assert waitReasonStrings[getattr(gmp, name)] == words


def test_a_new_g_is_idle_and_a_g_names_itself():
    g = G()
    assert g.status == _Gidle and g.state() == "idle"
    g.goid = 7
    g.status = _Gwaiting
    g.waitreason = gmp.waitReasonIOWait
    assert repr(g) == "<goroutine 7 [IO wait]>"


def test_a_goroutine_goes_through_its_states():
    seen = []
    s = Sema()

    def body():
        seen.append((g.status, g.state()))
        semacquire(s)
        seen.append((g.status, g.state()))

    g = runtime.go(body)
    assert (g.status, g.state()) == (_Grunnable, "runnable")
    until_state(g, "semacquire")
    assert g.status == _Gwaiting
    semrelease(s)
    assert (g.status, g.state()) == (_Grunnable, "runnable")
    until_dead(g)
    assert (g.status, g.state()) == (_Gdead, "dead")
    assert seen == [(_Grunning, "running")] * 2


def test_the_running_goroutine_is_running():
    assert getg() is sched.maing
    assert getg().state() == "running"
    assert getg().goid == 1


def test_goids_are_never_used_twice():
    gs = [runtime.go(int) for _ in range(100)]
    assert len({g.goid for g in gs} | {1}) == 101
    until_dead(*gs)


def test_a_finished_goroutine_belongs_to_nobody_and_can_be_collected():
    g = runtime.go(int)
    until_dead(g)
    assert g.m is None and g.gr is None and g not in sched.allgs
    ref = weakref.ref(g)
    del g
    until_dead(runtime.go(int))  # takes the stack, and with it the last mention
    assert ref() is None


def test_a_goroutine_keeps_its_function_no_longer_than_it_runs():
    class Thing:
        pass

    thing = Thing()
    ref = weakref.ref(thing)
    g = runtime.go(lambda x, y: None, thing, y=thing)
    del thing
    until_dead(g)
    assert ref() is None
    assert g.fn is None and g.args is None and g.kwargs is None


def test_a_goroutine_in_an_exception_keeps_its_function_no_longer_than_it_runs():
    class Thing:
        pass

    def fail(thing):
        raise ValueError

    thing = Thing()
    ref = weakref.ref(thing)
    old = runtime.SetPanicHook(lambda g, exc: None)
    try:
        g = runtime.go(fail, thing)
        del thing
        until_dead(g)
        assert ref() is None
    finally:
        runtime.SetPanicHook(old)


def test_a_plain_waitlock_parks_and_lets_itself_be_cancelled():
    wl = WaitLock()
    assert wl.unlockf(getg(), 0)
    assert wl.cancelf(getg(), 0)


def test_a_p_begins_empty():
    p = P(5, timers())
    assert (p.id, p.m, p.runnext, len(p.runq), len(p.gfree)) == (5, None, None, 0, 0)
    assert p.timers.heap == []


@pytest.mark.parametrize("clone", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_goroutine_cannot_be_copied(clone):
    g = runtime.go(int)
    with pytest.raises(TypeError, match="a goroutine cannot be copied or pickled"):
        clone(g)
