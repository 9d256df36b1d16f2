"""Making goroutines: what go takes, and what a goroutine inherits from its creator."""

from __future__ import annotations

import contextvars
import sys

import pytest

import runtime
from gonet.time import Sleep
from runtime.proc import getg
from tests.helpers import Thread, runs, spawn, until, until_dead

pytestmark = pytest.mark.usefixtures("nothing_left_over")


@pytest.mark.parametrize("fn", [None, 5, "x", object()])
def test_what_is_not_callable_is_refused_at_the_call(fn):
    before = runtime.NumGoroutine()
    with pytest.raises(TypeError, match=f"go: '{type(fn).__name__}' object is not callable"):
        runtime.go(fn)
    assert runtime.NumGoroutine() == before


def test_go_without_a_function_is_refused():
    with pytest.raises(TypeError):
        runtime.go()


def test_arguments_are_passed_on():
    got = []
    until_dead(runtime.go(lambda *args, **kwargs: got.append((args, kwargs)), 1, 2, fn=3, self=4))
    assert got == [((1, 2), {"fn": 3, "self": 4})]


def test_it_counts_at_once_and_runs_later():
    ran = []
    before = runtime.NumGoroutine()
    g = runtime.go(ran.append, 1)
    assert runtime.NumGoroutine() == before + 1 and ran == []
    until_dead(g)
    assert runtime.NumGoroutine() == before and ran == [1]


def test_the_result_of_go_is_the_goroutine():
    got = []
    g = runtime.go(lambda: got.append(getg()))
    assert isinstance(g, runtime.G)
    until_dead(g)
    assert got == [g]


def test_starts_nested_a_thousand_deep():
    """Each starts the next from its own stack: no depth is inherited."""
    depth = []

    def nested(n):
        depth.append(n)
        if n < 3 * sys.getrecursionlimit():
            runtime.go(nested, n + 1)

    runtime.go(nested, 1)
    until(lambda: len(depth) == 3 * sys.getrecursionlimit())


# ---- contexts

var = contextvars.ContextVar("var", default="unset")


def test_a_goroutine_starts_in_a_copy_of_its_creators_context():
    seen = []

    def body():
        seen.append(var.get())
        var.set("mine")
        Sleep(0.001)
        seen.append(var.get())

    token = var.set("creator's")
    try:
        g = runtime.go(body)
        var.set("changed later")
        until_dead(g)
        assert seen == ["creator's", "mine"]
        assert var.get() == "changed later"
    finally:
        var.reset(token)


def test_contexts_are_the_goroutines_own():
    def body(i):
        var.set(i)
        for _ in range(5):
            runtime.Gosched()
            assert var.get() == i

    for t in [spawn(body, i) for i in range(20)]:
        t.join()
    assert var.get() == "unset"


def test_a_stack_used_again_brings_no_context():
    def set_it():
        var.set("old")

    for _ in range(5):
        until_dead(runtime.go(set_it))
        assert spawn(var.get).join() == "unset"


def test_what_a_finalizer_leaves_in_the_context_of_a_stack_is_not_the_next_goroutines():
    """It runs when the context of the last one is dropped, which has none any more; and the next one has its own."""
    program = """
        var, other = contextvars.ContextVar("var", default="unset"), contextvars.ContextVar("other")
        class Late:
            def __del__(self):
                var.set("left")
                ran.append(runtime.asm.getcurrent())
        ran = []
        go(lambda: other.set(Late()) and None)
        until(lambda: ran)
        g = go(lambda: say(var.get(), runtime.asm.getcurrent() is ran[0]))
        until_state(g, "dead")
    """
    assert runs(program) == "unset True\n"


def test_the_context_is_inherited_through_goroutines():
    def outer():
        var.set("outer")
        return spawn(var.get).join()

    assert spawn(outer).join() == "outer"


def test_a_context_run_around_go():
    ctx = contextvars.copy_context()
    ctx.run(var.set, "in ctx")
    t = ctx.run(spawn, var.get)
    assert t.join() == "in ctx"
    assert var.get() == "unset"


def test_contexts_in_threads():
    def thread():
        var.set("thread's")
        return spawn(var.get).join()

    assert Thread(thread).join() == "thread's"


def test_the_contextvars_module_is_left_alone():
    program = """
        import _contextvars, asyncio, contextvars
        for name in contextvars.__all__:
            assert getattr(contextvars, name) is getattr(_contextvars, name), name
        var = contextvars.ContextVar("var", default=0)
        async def set_and_get(n):
            var.set(n)
            await asyncio.sleep(0)
            return var.get()
        async def main():
            return await asyncio.gather(*map(set_and_get, range(3)))
        def goroutine():
            var.set(10)
            got.append((asyncio.run(main()), var.get()))  # a loop of asyncio's own, in a goroutine
        got = []
        g = go(goroutine)
        until_state(g, "dead")
        say(got, var.get())
    """
    assert runs(program) == "[([0, 1, 2], 10)] 0\n"
