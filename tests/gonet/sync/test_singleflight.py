"""gonet.sync.singleflight, as golang.org/x/sync's."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

import runtime
from gonet import chan, select
from gonet.sync import atomic, singleflight
from tests.helpers import foreign, rounds, runs, spawn, until, until_dead, until_state

pytestmark = pytest.mark.usefixtures("nothing_left_over")


def test_Do() -> None:
    g = singleflight.Group()
    assert g.Do("key", lambda: "bar") == ("bar", False)
    assert g.Do("key", lambda: "baz") == ("baz", False)
    assert not g._m


def test_Do_raises() -> None:
    g = singleflight.Group()
    err = ValueError("no")

    def fail() -> None:
        raise err

    with pytest.raises(ValueError) as info:
        g.Do("key", fail)
    assert info.value is err
    assert not g._m


@pytest.mark.schedseeds
def test_one_call_for_all() -> None:
    g = singleflight.Group()
    gate, calls = chan(), atomic.Int64()

    def fn() -> Any:
        calls.Add(1)
        return gate.recv()

    first = spawn(g.Do, "key", fn)
    until_state(first.g, "chan receive")
    others: list[Any] = [spawn(g.Do, "key", fn) for _ in range(5)]
    others += [foreign(g.Do, "key", fn) for _ in range(3)]
    until(lambda: g._m["key"].dups == 8)
    assert g.Do("another", lambda: 1) == (1, False)
    gate.send("bar")
    assert first.join() == ("bar", True)
    for t in others:
        assert t.join() == ("bar", True)
    assert calls.Load() == 1
    assert not g._m


@pytest.mark.schedseeds
def test_the_error_is_everybodys() -> None:
    g = singleflight.Group()
    gate, err = chan(), ValueError("no")

    def fail() -> None:
        gate.recv()
        raise err

    tasks = [spawn(g.Do, "key", fail)]
    until_state(tasks[0].g, "chan receive")
    tasks += [spawn(g.Do, "key", pytest.fail) for _ in range(3)]
    c = g.DoChan("key", pytest.fail)
    until(lambda: g._m["key"].dups == 4)
    gate.close()
    for t in tasks:
        assert t.error() is err
    r = c.recv()
    assert (r.Val, r.Err, r.Shared) == (None, err, True)


def test_DoChan() -> None:
    g = singleflight.Group()
    r = g.DoChan("key", lambda: "bar").recv()
    assert (r.Val, r.Err, r.Shared) == ("bar", None, False)
    assert "bar" in repr(r)
    gate = chan()
    one, two = g.DoChan("key", gate.recv), g.DoChan("key", pytest.fail)
    gate.send(5)
    for c in one, two:
        r = c.recv()
        assert (r.Val, r.Err, r.Shared) == (5, None, True)
    assert select(one, default=True)[0] == -1


def test_DoChan_gives_the_error_and_reports_none(capfd: pytest.CaptureFixture[str]) -> None:
    g = singleflight.Group()
    err = ValueError("no")

    def fail() -> None:
        raise err

    r = g.DoChan("key", fail).recv()
    assert (r.Val, r.Err, r.Shared) == (None, err, False)
    until(lambda: runtime.NumGoroutine() >= 1 and not g._m)
    assert capfd.readouterr().err == ""


@pytest.mark.schedseeds
def test_Forget() -> None:
    g = singleflight.Group()
    gate = chan()
    first = spawn(g.Do, "key", gate.recv)
    until_state(first.g, "chan receive")
    g.Forget("key")
    g.Forget("nosuch")
    other = chan()
    second = spawn(g.Do, "key", other.recv)
    until_state(second.g, "chan receive")
    gate.send(1)
    assert first.join() == (1, False)
    third = spawn(g.Do, "key", pytest.fail)  # joins the second, which the first's end has not taken away
    until(lambda: g._m["key"].dups == 1)
    other.send(2)
    assert second.join() == third.join() == (2, True)


@pytest.mark.schedseeds
def test_Goexit_is_everybodys() -> None:
    g = singleflight.Group()
    gate = chan()

    def leave() -> None:
        gate.recv()
        runtime.Goexit()

    went_on = []
    one = runtime.go(lambda: went_on.append(g.Do("key", leave)))
    until_state(one, "chan receive")
    two = runtime.go(lambda: went_on.append(g.Do("key", pytest.fail)))
    until(lambda: g._m["key"].dups == 1)
    gate.close()
    until_dead(one, two)
    assert went_on == []
    assert g.Do("key", lambda: 1) == (1, False)


@pytest.mark.schedseeds
def test_many_at_once() -> None:
    g = singleflight.Group()

    def work() -> None:
        for n in range(rounds(200)):
            key = n % 3
            assert g.Do(key, lambda key=key: (runtime.Gosched(), key)[1])[0] == key
            if n % 5 == 0:
                g.Forget(key)
                assert g.DoChan(key, lambda key=key: key).recv().Val == key

    tasks: list[Any] = [spawn(work), spawn(work), foreign(work), foreign(work)]
    for t in tasks:
        t.join()
    until(lambda: not g._m)


def test_misuse() -> None:
    g = singleflight.Group()
    with pytest.raises(TypeError):
        g.Do("key", 5)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        g.DoChan("key", None)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        g.Do([], lambda: 1)  # type: ignore[arg-type]
    assert g.Do("key", lambda: 1) == (1, False)


def test_in_a_forked_child_calls_of_the_parent_are_not_under_way():
    program = """
        from gonet import chan
        from gonet.sync import singleflight
        group, end = singleflight.Group(), chan()
        t = threading.Thread(target=group.Do, args=("key", end.recv))
        t.start()
        until(lambda: "key" in group._m)
        group._mu.Lock()  # as by another thread, at this moment
        pid = os.fork()
        if pid == 0:
            assert group.Do("key", lambda: 1) == (1, False)
            group.Forget("key")
            assert group.DoChan("key", lambda: 2).recv().Val == 2
            os._exit(7)
        group._mu.Unlock()
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
        end.send(3)
        t.join()
        pid = group.Do("key", os.fork)[0]  # the function forks
        if pid == 0:
            assert group.Do("key", lambda: 4) == (4, False)
            os._exit(8)
        say(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), len(group._m))
    """
    assert runs(program) == "8 0\n"


@pytest.mark.parametrize("clone", [copy.copy, copy.deepcopy, pickle.dumps])
def test_it_cannot_be_copied(clone):
    with pytest.raises(TypeError, match="a singleflight.Group cannot be copied or pickled"):
        clone(singleflight.Group())
