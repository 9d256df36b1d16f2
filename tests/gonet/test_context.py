"""gonet.context, as Go's: what ends, when, why, and what it costs."""

from __future__ import annotations

import copy
import gc
import pickle
import random
from collections.abc import Callable
from typing import Any
from weakref import ref

import pytest

import runtime
from gonet import chan, context, select, time
from gonet.context import Background, Canceled, Cause, DeadlineExceeded
from runtime.time import armed
from tests.helpers import foreign, rounds, runs, spawn, until

pytestmark = pytest.mark.usefixtures("nothing_left_over")

FAR = 3600.0
SOON = 0.002

Ended = Callable[[], object]


def ended(ctx: context.Context) -> bool:
    """Whether ctx has ended; Done and Err must agree about it."""
    done = ctx.Done()
    closed = done is not None and select(done, default=True)[0] == 0
    assert closed == (ctx.Err() is not None)
    return closed


class Wrapped(context.Context):
    """The program's own context around another."""

    def __init__(self, ctx: context.Context) -> None:
        self.ctx = ctx

    def Deadline(self) -> tuple[float, bool]:
        return self.ctx.Deadline()

    def Done(self) -> Any:
        return self.ctx.Done()

    def Err(self) -> BaseException | None:
        return self.ctx.Err()

    def Value(self, key: Any) -> Any:
        return self.ctx.Value(key)


class Own:
    """A context that shares nothing with this package's but the four methods."""

    def __init__(self) -> None:
        self.done = chan()
        self.err: BaseException | None = None

    def Deadline(self) -> tuple[float, bool]:
        return 0.0, False

    def Done(self) -> Any:
        return self.done

    def Err(self) -> BaseException | None:
        return self.err

    def Value(self, key: Any) -> Any:
        return None

    def end(self, err: BaseException) -> None:
        self.err = err
        self.done.close()


class OwnAfter(Own):
    """One that can call back when it ends."""

    def __init__(self) -> None:
        super().__init__()
        self.after: dict[int, Ended] = {}
        self.made = 0

    def AfterFunc(self, f: Ended) -> Callable[[], bool]:
        self.made += 1
        n = self.made
        self.after[n] = f
        return lambda: self.after.pop(n, None) is not None

    def end(self, err: BaseException) -> None:
        super().end(err)
        for f in list(self.after.values()):
            runtime.go(f)
        self.after.clear()


# ---- roots


@pytest.mark.parametrize(("make", "name"), [(context.Background, "Background"), (context.TODO, "TODO")])
def test_a_root_never_ends(make: Callable[[], context.Context], name: str) -> None:
    ctx = make()
    assert ctx is make()
    assert ctx.Done() is None
    assert ctx.Err() is None
    assert ctx.Deadline() == (0.0, False)
    assert ctx.Value("k") is None
    assert Cause(ctx) is None
    assert repr(ctx) == f"context.{name}"


def test_errors() -> None:
    assert str(Canceled()) == "context canceled"
    assert str(DeadlineExceeded()) == "context deadline exceeded"
    assert issubclass(DeadlineExceeded, TimeoutError)
    assert not issubclass(Canceled, TimeoutError)
    assert DeadlineExceeded().Timeout() and DeadlineExceeded().Temporary()


@pytest.mark.parametrize(
    "make",
    [
        lambda: context.WithCancel(None),
        lambda: context.WithCancelCause(None),
        lambda: context.WithDeadline(None, time.Now()),
        lambda: context.WithDeadlineCause(None, time.Now(), None),
        lambda: context.WithTimeout(None, 1),
        lambda: context.WithTimeoutCause(None, 1, None),
        lambda: context.WithValue(None, "k", 1),
        lambda: context.WithoutCancel(None),
    ],
)
def test_nil_parent(make: Callable[[], Any]) -> None:
    with pytest.raises(runtime.Error, match="^cannot create context from nil parent$"):
        make()


def test_what_is_no_context() -> None:
    with pytest.raises(TypeError):
        context.WithCancel(5)
    with pytest.raises(TypeError):
        context.AfterFunc(Background(), 5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="NaN"):
        context.WithTimeout(Background(), float("nan"))


# ---- cancel


def test_cancel() -> None:
    ctx, cancel = context.WithCancel(Background())
    assert not ended(ctx)
    assert Cause(ctx) is None
    assert ctx.Done() is ctx.Done()
    cancel()
    assert ended(ctx)
    err = ctx.Err()
    assert isinstance(err, Canceled)
    assert Cause(ctx) is err
    cancel()
    assert ctx.Err() is err


def test_cancel_before_Done_was_asked_for() -> None:
    ctx, cancel = context.WithCancel(Background())
    cancel()
    assert ctx.Done().recv2() == (None, False)


@pytest.mark.schedseeds
def test_cancel_wakes_all_that_wait() -> None:
    ctx, cancel = context.WithCancel(Background())
    waiters = [spawn(ctx.Done().recv) for _ in range(10)]
    for w in waiters:
        until(lambda w=w: w.g.state() == "chan receive")
    cancel()
    for w in waiters:
        assert w.join() is None


def test_the_end_of_a_parent_is_that_of_all_below() -> None:
    root, cancel = context.WithCancel(Background())
    child, _ = context.WithCancel(root)
    value = context.WithValue(child, "k", "v")
    timed, _ = context.WithTimeout(value, FAR)
    below, _ = context.WithCancelCause(timed)
    own, _ = context.WithCancel(Wrapped(timed))
    other, _ = context.WithCancel(Background())
    cancel()
    for ctx in root, child, value, timed, below, own:
        assert ended(ctx)
        assert ctx.Err() is root.Err()
    assert not ended(other)
    assert armed() == 0 or timed._timer is None  # type: ignore[attr-defined]


def test_the_end_of_a_child_is_its_own() -> None:
    root, cancel = context.WithCancel(Background())
    a, cancela = context.WithCancel(root)
    b, _ = context.WithCancel(root)
    cancela()
    assert ended(a) and not ended(b) and not ended(root)
    cancel()
    assert ended(b)
    assert a.Err() is not root.Err()


def test_a_child_of_what_has_ended_has_ended() -> None:
    root, cancel = context.WithCancelCause(Background())
    why = ValueError("why")
    cancel(why)
    for child in (
        context.WithCancel(root)[0],
        context.WithTimeout(root, FAR)[0],
        context.WithValue(root, "k", 1),
        context.WithCancel(context.WithValue(root, "k", 1))[0],
        context.WithCancel(Wrapped(root))[0],
    ):
        assert ended(child)
        assert child.Err() is root.Err()
        assert Cause(child) is why


def test_parents_keep_no_children_that_have_ended() -> None:
    root, cancel = context.WithCancel(Background())
    base = armed()
    for n in range(100):
        child, end = context.WithTimeout(root, FAR) if n % 2 else context.WithCancel(context.WithValue(root, "k", n))
        stop = context.AfterFunc(root, pytest.fail)
        assert stop()
        end()
        r = ref(child if n % 2 else child)
        del child, end
        gc.collect() if n % 50 == 0 else None
    assert not root._children  # type: ignore[attr-defined]
    assert armed() == base
    gc.collect()
    assert r() is None
    cancel()


def test_a_context_canceled_before_its_deadline_is_collected() -> None:
    ctx, cancel = context.WithTimeout(Background(), FAR)
    r = ref(ctx)
    cancel()
    del ctx, cancel
    gc.collect()
    assert r() is None


@pytest.mark.schedseeds
def test_concurrent_cancels() -> None:
    for _ in range(rounds(30)):
        root, cancel = context.WithCancelCause(Background())
        causes = [ValueError(n) for n in range(4)]
        children: list[context.Context] = []

        def breed(parent: context.Context, out: list[context.Context]) -> None:
            for _ in range(20):
                ctx, _ = context.WithCancel(parent)
                out.append(ctx)

        tasks: list[Any] = [foreign(breed, root, children), spawn(breed, root, children)]
        tasks += [foreign(cancel, c) for c in causes[:2]] + [spawn(cancel, c) for c in causes[2:]]
        for t in tasks:
            t.join()
        assert Cause(root) in causes
        assert len(children) == 40
        for ctx in children:
            assert ended(ctx)
            assert ctx.Err() is root.Err()
            assert Cause(ctx) is Cause(root)


@pytest.mark.schedseeds
def test_many_children_some_of_which_end_first() -> None:
    rnd, many = random.Random(3), rounds(200)
    root, cancel = context.WithCancel(Background())
    kids = [context.WithCancel(root) for _ in range(many)]
    early = rnd.sample(range(many), many // 2)
    half = len(early) // 2

    def end(which: list[int]) -> None:
        for n in which:
            kids[n][1]()

    tasks = [foreign(end, early[:half]), spawn(end, early[half:])]
    for t in tasks:
        t.join()
    assert len(root._children) == many // 2  # type: ignore[attr-defined]
    cancel()
    assert all(ended(ctx) for ctx, _ in kids)
    assert [ctx.Err() is root.Err() for ctx, _ in kids] == [n not in early for n in range(many)]


def test_depth() -> None:
    root, cancel = context.WithCancel(Background())
    ctx: context.Context = root
    for n in range(5000):
        ctx = context.WithValue(ctx, n, n) if n % 2 else context.WithCancel(ctx)[0]
    assert ctx.Value(1) == 1
    assert ctx.Value("none") is None
    assert ctx.Deadline() == (0.0, False)
    assert repr(ctx).startswith("context.Background.WithCancel")
    assert repr(ctx).endswith(".WithValue(4999, 4999)")
    cancel()
    assert ended(ctx)
    assert ctx.Err() is root.Err()


# ---- causes


def test_cause() -> None:
    why, later = ValueError("why"), ValueError("later")
    root, cancel = context.WithCancelCause(Background())
    child, end = context.WithCancelCause(root)
    assert Cause(root) is None
    cancel(why)
    end(later)
    assert isinstance(root.Err(), Canceled)
    assert Cause(root) is Cause(child) is why
    cancel(later)
    assert Cause(root) is why


def test_a_childs_cause_stays_below() -> None:
    why, later = ValueError("why"), ValueError("later")
    root, cancel = context.WithCancelCause(Background())
    child, end = context.WithCancelCause(root)
    end(why)
    assert Cause(root) is None
    cancel(later)
    assert Cause(child) is why
    assert Cause(root) is later


@pytest.mark.parametrize("cancelargs", [(), (None,)])
def test_no_cause_is_Err(cancelargs: tuple[None, ...]) -> None:
    ctx, cancel = context.WithCancelCause(Background())
    cancel(*cancelargs)
    assert isinstance(ctx.Err(), Canceled)
    assert Cause(ctx) is ctx.Err()


@pytest.mark.parametrize("cause", ["too late", 0, ValueError])
def test_a_cause_is_an_exception(cause: Any) -> None:
    parent, end = context.WithCancel(Background())
    ctx, cancel = context.WithCancelCause(parent)
    for misuse in (
        lambda: cancel(cause),
        lambda: context.WithTimeoutCause(parent, FAR, cause),
        lambda: context.WithDeadlineCause(parent, time.Now() - 1, cause),
    ):
        with pytest.raises(TypeError, match="the cause must be an exception or None"):
            misuse()
    assert ctx.Err() is None
    assert list(parent._children) == [ctx]  # type: ignore[attr-defined]
    end()


@pytest.mark.parametrize("late", ["soon", None, object()])
def test_a_deadline_is_a_number(late: Any) -> None:
    parent, end = context.WithCancel(Background())
    for make in context.WithDeadline, context.WithTimeout:
        with pytest.raises(TypeError):
            make(parent, late)
    assert not parent._children  # type: ignore[attr-defined]
    end()


def test_the_cause_of_a_deadline() -> None:
    late = ValueError("too late")
    for make in (
        lambda: context.WithTimeoutCause(Background(), SOON, late),
        lambda: context.WithDeadlineCause(Background(), time.Now() + SOON, late),
        lambda: context.WithTimeoutCause(Background(), -1, late),
    ):
        ctx, cancel = make()
        ctx.Done().recv()
        cancel()
        assert isinstance(ctx.Err(), DeadlineExceeded)
        assert Cause(ctx) is late
    ctx, cancel = context.WithTimeoutCause(Background(), FAR, late)
    cancel()
    assert isinstance(ctx.Err(), Canceled)
    assert Cause(ctx) is ctx.Err()


def test_Cause_sees_through_values_and_the_programs_own_contexts() -> None:
    why = ValueError("why")
    root, cancel = context.WithCancelCause(Background())
    ctx = context.WithValue(Wrapped(root), "k", 1)
    assert Cause(ctx) is None
    cancel(why)
    assert Cause(ctx) is why


def test_Cause_of_a_context_of_the_programs_own() -> None:
    own = Own()
    assert Cause(own) is None
    own.end(KeyError("own"))
    assert Cause(own) is own.err


# ---- deadlines


def test_timeout() -> None:
    t0 = time.Now()
    ctx, cancel = context.WithTimeout(Background(), 0.02)
    deadline, ok = ctx.Deadline()
    assert ok and t0 + 0.02 <= deadline <= time.Now() + 0.02
    ctx.Done().recv()
    assert time.Now() >= deadline
    err = ctx.Err()
    assert isinstance(err, DeadlineExceeded) and isinstance(err, TimeoutError)
    cancel()
    assert ctx.Err() is err
    assert Cause(ctx) is err
    with pytest.raises(TimeoutError, match="context deadline exceeded"):
        raise err


@pytest.mark.parametrize("seconds", [0, -1, float("-inf")])
def test_a_deadline_that_has_passed(seconds: float) -> None:
    base = armed()
    ctx, _ = context.WithTimeout(Background(), seconds)
    assert ended(ctx)
    assert isinstance(ctx.Err(), DeadlineExceeded)
    assert armed() == base


@pytest.mark.parametrize("seconds", [2.0**63, float("inf")])
def test_a_deadline_that_never_comes(seconds: float) -> None:
    ctx, cancel = context.WithTimeout(Background(), seconds)
    assert not ended(ctx)
    assert ctx.Deadline()[1]
    cancel()
    assert isinstance(ctx.Err(), Canceled)


def test_the_earlier_deadline_counts() -> None:
    base = armed()
    outer, cancel = context.WithDeadline(Background(), time.Now() + FAR)
    inner, cancelinner = context.WithDeadline(outer, time.Now() + 2 * FAR)
    assert inner.Deadline() == outer.Deadline()
    assert armed() == base + 1
    nearer, cancelnearer = context.WithTimeout(outer, SOON)
    assert nearer.Deadline()[0] < outer.Deadline()[0]
    nearer.Done().recv()
    assert isinstance(nearer.Err(), DeadlineExceeded)
    assert not ended(outer) and not ended(inner)
    for c in cancelnearer, cancelinner, cancel:
        c()
    assert armed() == base


def test_deadline_below_values_and_cancels() -> None:
    root, cancel = context.WithTimeout(Background(), FAR)
    ctx, _ = context.WithCancel(context.WithValue(root, "k", 1))
    assert ctx.Deadline() == root.Deadline()
    assert context.WithValue(Wrapped(ctx), "k", 2).Deadline() == root.Deadline()
    cancel()


@pytest.mark.schedseeds
def test_cancel_and_deadline_at_the_same_time() -> None:
    def work() -> None:
        for n in range(rounds(100)):
            ctx, cancel = context.WithTimeout(Background(), 1e-5 if n % 2 else 0.0001)
            child, _ = context.WithCancel(ctx)
            if n % 3:
                runtime.Gosched()
            cancel()
            err = ctx.Err()
            assert isinstance(err, (Canceled, DeadlineExceeded))
            assert ctx.Err() is err and child.Err() is err

    tasks = [foreign(work), foreign(work), spawn(work)]
    for t in tasks:
        t.join()


# ---- values


def test_values() -> None:
    class Key:
        def __init__(self, n: int) -> None:
            self.n = n

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Key) and self.n == other.n

        __hash__ = None  # type: ignore[assignment]

    a = context.WithValue(Background(), "a", 1)
    b = context.WithValue(a, Key(1), 2)
    c, cancel = context.WithCancel(context.WithValue(b, "a", 3))
    assert (a.Value("a"), b.Value("a"), c.Value("a")) == (1, 1, 3)
    assert c.Value(Key(1)) == 2
    assert c.Value(Key(2)) is None and a.Value(Key(1)) is None
    cancel()
    assert c.Value("a") == 3
    with pytest.raises(runtime.Error, match="^nil key$"):
        context.WithValue(a, None, 1)
    assert repr(b).startswith("context.Background.WithValue('a', 1).WithValue(")


def test_WithoutCancel() -> None:
    root, cancel = context.WithCancelCause(context.WithValue(Background(), "k", "v"))
    timed, end = context.WithTimeout(root, FAR)
    ctx = context.WithoutCancel(timed)
    assert ctx.Value("k") == "v"
    assert ctx.Deadline() == (0.0, False)
    cancel(ValueError())
    end()
    assert ctx.Done() is None and ctx.Err() is None and Cause(ctx) is None
    child, _ = context.WithCancel(ctx)
    assert not ended(child)
    assert child.Value("k") == "v"
    assert repr(ctx).endswith(".WithoutCancel")


# ---- AfterFunc


def test_AfterFunc_is_called_once_in_a_goroutine_of_its_own() -> None:
    ctx, cancel = context.WithCancel(Background())
    called = chan(10)
    n = runtime.NumGoroutine()
    stop = context.AfterFunc(ctx, lambda: called.send(runtime.NumGoroutine()))
    assert runtime.NumGoroutine() == n
    cancel()
    assert called.recv() == n + 1
    cancel()
    assert not stop()
    runtime.Gosched()
    assert len(called) == 0


@pytest.mark.schedseeds
def test_AfterFunc_of_what_has_ended() -> None:
    ctx, cancel = context.WithCancel(Background())
    cancel()
    called = chan()
    stop = context.AfterFunc(ctx, called.close)
    called.recv()
    assert not stop()


@pytest.mark.schedseeds
def test_AfterFunc_stop() -> None:
    ctx, cancel = context.WithCancel(Background())
    called: list[int] = []
    one, two = (context.AfterFunc(ctx, lambda n=n: called.append(n)) for n in (1, 2))  # type: ignore[misc]
    assert one()
    assert not one()
    cancel()
    until(lambda: called)
    runtime.Gosched()
    assert called == [2]
    assert not two()


def test_AfterFunc_of_what_never_ends() -> None:
    stop = context.AfterFunc(Background(), pytest.fail)
    assert stop()
    assert not stop()


@pytest.mark.schedseeds
def test_AfterFunc_at_a_deadline() -> None:
    ctx, cancel = context.WithTimeout(Background(), SOON)
    called = chan(1)
    context.AfterFunc(ctx, lambda: called.send(ctx.Err()))
    assert isinstance(called.recv(), DeadlineExceeded)
    cancel()


@pytest.mark.schedseeds
def test_AfterFunc_stopped_while_the_context_ends() -> None:
    for _ in range(rounds(60)):
        ctx, cancel = context.WithCancel(Background())
        called = chan()
        stop = context.AfterFunc(ctx, called.close)
        stops = [foreign(stop), spawn(stop)]
        cancel()
        won = [t.join() for t in stops]
        assert sum(won) <= 1
        if any(won):
            runtime.Gosched()
            assert select(called, default=True)[0] == -1
        else:
            called.recv()


# ---- the program's own contexts


def test_no_goroutine_where_none_is_needed() -> None:
    n = runtime.NumGoroutine()
    root, cancel = context.WithCancel(Background())
    own = OwnAfter()
    ctxs = [
        context.WithCancel(root),
        context.WithTimeout(root, FAR),
        context.WithCancel(context.WithValue(root, "k", 1)),
        context.WithCancel(Wrapped(root)),
        context.WithCancel(context.WithoutCancel(root)),
        context.WithCancel(own),
        context.WithCancel(context.WithCancel(own)[0]),
    ]
    context.AfterFunc(root, lambda: None)
    assert runtime.NumGoroutine() == n
    for _, end in ctxs:
        end()
    cancel()


def test_a_goroutine_for_a_parent_with_its_own_channel() -> None:
    n = runtime.NumGoroutine()
    own = Own()
    ctx, cancel = context.WithCancel(own)
    below, _ = context.WithCancel(ctx)
    assert runtime.NumGoroutine() == n + 1
    cancel()
    until(lambda: runtime.NumGoroutine() == n, "the end of the goroutine")
    assert ended(below)
    ctx, _ = context.WithCancel(own)
    own.end(KeyError("own"))
    ctx.Done().recv()
    assert ctx.Err() is own.err
    assert Cause(ctx) is own.err


def test_a_parent_that_wraps_one_of_ours_with_a_channel_of_its_own() -> None:
    root, cancel = context.WithCancel(Background())

    class Rewired(Wrapped):
        done = chan()

        def Done(self) -> Any:
            return self.done

    parent = Rewired(root)
    child, end = context.WithCancel(parent)
    cancel()
    runtime.Gosched()
    assert not ended(child)
    parent.done.close()
    child.Done().recv()
    assert child.Err() is root.Err()
    end()


@pytest.mark.schedseeds
def test_a_parent_with_AfterFunc() -> None:
    own = OwnAfter()
    ctx, cancel = context.WithCancel(own)
    assert len(own.after) == 1
    cancel()
    assert not own.after
    ctx, cancel = context.WithCancel(own)
    stop = context.AfterFunc(own, pytest.fail)
    assert len(own.after) == 2
    assert stop()
    assert len(own.after) == 1
    own.end(KeyError("own"))
    ctx.Done().recv()
    assert ctx.Err() is own.err
    cancel()
    assert ctx.Err() is own.err


@pytest.mark.schedseeds
def test_select_on_a_context() -> None:
    ctx, cancel = context.WithCancel(Background())
    c = chan()
    t = spawn(select, c, ctx.Done())
    until(lambda: t.g.state() == "select")
    cancel()
    assert t.join() == (1, None, False)


# ---- programs


def test_a_context_that_is_waited_for_in_vain_is_a_deadlock() -> None:
    out = runs("""
        from gonet import context
        ctx, cancel = context.WithCancel(context.Background())
        try:
            ctx.Done().recv()
        except runtime.Error as err:
            say(str(err).splitlines()[0])
        ctx, cancel = context.WithTimeout(ctx, 0.01)
        ctx.Done().recv()
        say(ctx.Err())
    """)
    assert out == "all goroutines are asleep - deadlock!\ncontext deadline exceeded\n"


def test_cancel_by_a_signal_handler() -> None:
    out = runs("""
        from gonet import context
        ctx, cancel = context.WithCancel(context.Background())
        signal.signal(signal.SIGUSR1, lambda *_: cancel())
        threading.Timer(0.05, lambda: os.kill(os.getpid(), signal.SIGUSR1)).start()
        while ctx.Err() is None:
            child, end = context.WithCancel(ctx)
            end()
        ctx.Done().recv()
        say(ctx.Err())
    """)
    assert out == "context canceled\n"


def test_fork_while_another_thread_holds_the_lock() -> None:
    program = """
        from gonet import context
        root, cancel = context.WithCancel(context.Background())
        with Holding(root):
            pid = os.fork()
            if pid == 0:
                ctx, end = context.WithTimeout(root, 3600)
                assert root.Done() is root.Done() and list(root._children) == [ctx]
                cancel()
                assert isinstance(ctx.Err(), context.Canceled)
                os._exit(7)
        say(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    """
    assert runs(program) == "7\n"


def test_they_cannot_be_copied() -> None:
    parent, cancel = context.WithCancel(Background())
    child, end = context.WithTimeout(parent, FAR)
    for ctx in parent, child, context.WithValue(parent, "k", 1), context.WithoutCancel(parent):
        for clone in copy.copy, copy.deepcopy, pickle.dumps:
            with pytest.raises(TypeError, match="a context cannot be copied or pickled"):
                clone(ctx)
    for root in Background(), context.TODO():
        assert copy.copy(root) is copy.deepcopy(root) is pickle.loads(pickle.dumps(root)) is root
    end()
    cancel()
