"""Pool. Mirrors Go src/sync/pool_test.go."""

from __future__ import annotations

import copy
import gc
import pickle
import sys
import weakref

import pytest

from gonet.sync import Pool, cleanup
from tests.helpers import Thread, spawn

pytestmark = pytest.mark.usefixtures("nothing_left_over")

collects = pytest.mark.skipif(not hasattr(gc, "callbacks"), reason="this interpreter's collector calls nobody")


@pytest.fixture(autouse=True)
def no_gc():
    """No collection but those that a test asks for."""
    was = gc.isenabled()
    gc.disable()
    yield
    if was:
        gc.enable()


class Thing:
    pass


def test_what_is_put_in_comes_out_and_then_none():
    """Go TestPool, its first half."""
    p = Pool()
    assert p.Get() is None
    things = [Thing() for _ in range(3)]
    for t in things:
        assert p.Put(t) is None
    assert {p.Get() for _ in range(3)} == set(things)
    assert p.Get() is None


@pytest.mark.parametrize("x", [0, "", [], False])
def test_what_is_false_is_kept(x):
    p = Pool(lambda: "new")
    p.Put(x)
    assert p.Get() is x
    assert p.Get() == "new"


def test_none_is_not_kept():
    p = Pool(lambda: 1)
    p.Put(None)
    assert p.Get() == 1


def test_new():
    """Go TestPoolNew."""
    i = [0]

    def new():
        i[0] += 1
        return i[0]

    p = Pool(New=new)
    assert (p.Get(), p.Get()) == (1, 2)
    p.Put(42)
    assert (p.Get(), p.Get()) == (42, 3)
    p.New = None
    assert p.Get() is None
    p.New = lambda: "other"
    assert p.Get() == "other"


def test_an_exception_of_new_comes_out():
    def fails():
        raise ValueError

    p = Pool(fails)
    with pytest.raises(ValueError):
        p.Get()
    p.Put(1)
    assert p.Get() == 1


@collects
def test_two_collections_empty_it():
    """Go TestPool, its second half, and TestPoolRelease."""
    p = Pool()
    things = [Thing() for _ in range(100)]
    refs = [weakref.ref(t) for t in things]
    for t in things:
        p.Put(t)
    del t
    things.clear()
    gc.collect()
    assert type(p.Get()) is Thing, "the victim cache should keep them"
    gc.collect()
    assert p.Get() is None
    assert not any(r() for r in refs)


@collects
def test_collections_of_the_young_do_not_count():
    p = Pool()
    p.Put(1)
    for generation in 0, 1, 0, 1, 0, 1:
        gc.collect(generation)
    assert p.Get() == 1


@collects
def test_what_is_used_between_collections_stays():
    p = Pool()
    x = Thing()
    for _ in range(5):
        p.Put(x)
        gc.collect()
        assert p.Get() is x
    gc.collect()
    gc.collect()
    assert p.Get() is None


def test_it_does_not_keep_what_was_taken_out():
    """Go TestPoolGC."""
    p = Pool()
    refs = []
    for _ in range(100):
        x = Thing()
        refs.append(weakref.ref(x))
        p.Put(x)
    del x
    for _ in range(100):
        p.Get()
    assert not any(r() for r in refs)


def test_a_pool_that_is_dropped_drops_what_is_in_it():
    p = Pool()
    x = Thing()
    r, q = weakref.ref(x), weakref.ref(p)
    p.Put(x)
    del x, p
    assert q() is None and r() is None
    gc.collect()
    gc.collect()


@collects
def test_a_finalizer_of_what_is_dropped_may_use_the_pool():
    p = Pool()
    log = []

    class Back:
        def __del__(self):
            log.append(1)
            p.Put(5)

    p.Put(Back())
    gc.collect()
    gc.collect()
    assert log == [1]
    assert p.Get() == 5


@collects
def test_nothing_is_left_of_pools_in_the_lists():
    gc.collect()
    gc.collect()
    for _ in range(10):
        Pool().Put(1)
    gc.collect()
    gc.collect()
    assert not cleanup.oldPools and not cleanup.allPools


def test_an_item_is_never_given_out_twice():
    """Go TestPoolStress, with threads, and an account of who has what."""
    old = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    p = Pool()
    items = [[0] for _ in range(4)]
    for x in items:
        p.Put(x)

    def work():
        for i in range(500):
            x = p.Get()
            if x is None:
                continue
            x[0] += 1
            assert x[0] == 1
            if i % 10 == 0:
                gc.collect(1)
            assert x[0] == 1
            x[0] -= 1
            p.Put(x)

    try:
        for t in [Thread(work) for _ in range(6)] + [spawn(work) for _ in range(6)]:
            t.join()
    finally:
        sys.setswitchinterval(old)
    assert [x[0] for x in items] == [0] * 4


def test_it_cannot_be_copied():
    p = Pool()
    p.Put(1)
    for clone in copy.copy, copy.deepcopy, pickle.dumps:
        with pytest.raises(TypeError, match="sync.Pool cannot be copied or pickled"):
            clone(p)
