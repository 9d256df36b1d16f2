"""What lies under the scheduler, in both its forms: the compiled one where there is one, and the portable source."""

from __future__ import annotations

import ast
import importlib.machinery
import importlib.util
import re
import sys
import threading
import weakref
from contextlib import suppress

import pytest

import runtime
from runtime import asm
from tests.helpers import ROOT, Thread, runs

pytestmark = pytest.mark.usefixtures("nothing_left_over")


def portable(name):
    """The module runtime.<name>, run anew from its .py."""
    loader = importlib.machinery.SourceFileLoader(f"portable_{name}", str(ROOT / "runtime" / f"{name}.py"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


FORMS = {"portable": portable("asm")}
if runtime.compiled:
    FORMS["compiled"] = asm


@pytest.fixture(params=list(FORMS))
def form(request):
    return FORMS[request.param]


def test_both_forms_have_the_same_names():
    source = (ROOT / "runtime" / "asm.pyx").read_text()
    begin = source.index("__all__ = [") + len("__all__ = ")
    names = ast.literal_eval(source[begin : source.index("]", begin) + 1])
    assert sorted(names) == sorted(FORMS["portable"].__all__)
    for form in FORMS.values():
        for name in form.__all__:
            assert hasattr(form, name)


# ---- locks


def test_a_lock_keeps_other_threads_out(form):
    m = form.mutex()
    form.lock(m)
    assert Thread(form.trylock, m).join() is False
    form.unlock(m)

    def other():
        got = form.trylock(m)
        form.unlock(m)
        return got

    assert Thread(other).join() is True


def test_a_thread_waits_for_a_lock(form):
    m = form.mutex()
    form.lock(m)
    log = []

    def other():
        form.lock(m)
        log.append("other")
        form.unlock(m)

    started = threading.Event()
    t = Thread(lambda: (started.set(), other()))
    started.wait()
    log.append("first")
    form.unlock(m)
    t.join()
    assert log == ["first", "other"]


def test_a_lock_is_reentrant(form):
    """A signal handler or a finalizer may come between lock and unlock, and take it again."""
    m = form.mutex()
    form.lock(m)
    form.lock(m)
    assert form.trylock(m)
    form.unlock(m)
    form.unlock(m)
    assert Thread(form.trylock, m).join() is False
    form.unlock(m)

    def other():
        got = form.trylock(m)
        form.unlock(m)
        return got

    assert Thread(other).join() is True


def test_a_lock_excludes(form):
    m = form.mutex()
    count = [0]

    def work():
        for _ in range(2000):
            form.lock(m)
            n = count[0]
            threading.get_ident()
            count[0] = n + 1
            form.unlock(m)

    old = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        ts = [Thread(work) for _ in range(4)]
        for t in ts:
            t.join()
    finally:
        sys.setswitchinterval(old)
    assert count[0] == 8000


def test_it_can_be_embedded(form):
    class Thing(form.mutex):
        pass

    t = Thing()
    form.lock(t)
    form.unlock(t)


# ---- the queue


def test_a_queue_is_first_in_first_out(form):
    q = form.gqueue()
    assert len(q) == 0 and not q
    for i in range(5):
        q.append(i)
    assert len(q) == 5 and q
    assert [q.get() for _ in range(7)] == [0, 1, 2, 3, 4, None, None]


def test_a_queue_can_be_looked_at_and_taken_from_the_middle(form):
    q = form.gqueue()
    for i in range(5):
        q.append(i)
    assert list(q.copy()) == list(q) == list(range(5))
    q.remove(2)
    q.remove(0)
    with pytest.raises(ValueError):
        q.remove(99)
    assert list(q.copy()) == [1, 3, 4]
    assert [q.get() for _ in range(3)] == [1, 3, 4]


def test_a_queue_agrees_with_a_deque_over_random_operations(form):
    import random
    from collections import deque

    seed = random.randrange(1 << 30)
    print("seed", seed)
    rnd = random.Random(seed)
    q, model = form.gqueue(), deque()
    things = [object() for _ in range(1000)]
    for _ in range(20_000):
        what = rnd.random()
        if what < 0.5:
            x = rnd.choice(things)
            if not any(x is y for y in model) or len(model) > 300:
                q.append(x)
                model.append(x)
        elif what < 0.9:
            if model:
                assert q.get() is model.popleft()
        elif model:
            x = rnd.choice(model)
            q.remove(x)
            model.remove(x)
        assert len(q) == len(model)
    assert list(q.copy()) == list(model)


def test_a_queue_holds_what_is_in_it_and_no_longer(form):
    class Thing:
        pass

    q = form.gqueue()
    things = [Thing() for _ in range(200)]
    refs = [weakref.ref(t) for t in things]
    for t in things:
        q.append(t)
    del t
    things.clear()
    assert all(r() for r in refs)
    first = q.get()
    assert first is refs[0]()
    del first
    assert refs[0]() is None
    q.remove(refs[100]())
    assert refs[100]() is None
    del q
    assert not any(r() for r in refs)


def test_a_queue_is_shared_by_threads_that_add_take_and_copy(form):
    """What one has put in comes out once and in its order, and a copy is some moment's queue."""
    q = form.gqueue()
    n = 4000

    def put(k):
        for i in range(n):
            x = (k, i)
            q.append(x)
            if i % 7 == 0:
                with suppress(ValueError):  # it was taken
                    q.remove(x)
                    q.append(x)

    def take():
        got = []
        while not done or q:
            x = q.get()
            if x is not None:
                got.append(x)
        return got

    def look():
        while not done:
            seen = list(q.copy())
            assert len(set(seen)) == len(seen)
            for k in range(2):
                mine = [i for j, i in seen if j == k]
                assert mine == sorted(mine)

    done = []
    old = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        lookers = [Thread(look) for _ in range(2)]
        putters = [Thread(put, k) for k in range(2)]
        takers = [Thread(take)]
        for t in putters:
            t.join()
        done.append(True)
        got = [x for t in takers for x in t.join()]
        for t in lookers:
            t.join()
    finally:
        sys.setswitchinterval(old)
    assert sorted(got) == [(k, i) for k in range(2) for i in range(n)]


# ---- M, stacks


def test_the_slot_is_the_threads_own(form):
    before = form.getm()
    mine = object()

    def other():
        assert form.getm() is None
        form.setm(mine)
        assert form.getm() is mine
        form.setm(None)
        return form.getm()

    assert Thread(other).join() is None
    assert form.getm() is before


def test_a_switch_goes_to_a_stack_and_back(form):
    log = []
    main = form.curstack()

    def body():
        log.append("in")
        form.gogo(main)
        log.append("again")

    stack = form.newstack(body)
    form.gogo(stack)
    log.append("out")
    form.gogo(stack)
    assert log == ["in", "out", "again"]
    assert stack.dead


def test_a_stack_may_end_while_the_switch_to_it_holds_the_last_reference(form):
    stacks = [form.newstack(stacks_end) for stacks_end in (list, dict)]
    while stacks:
        form.gogo(stacks.pop())


def test_curstack_is_the_greenlet_that_runs(form):
    import greenlet

    assert form.curstack() is greenlet.getcurrent()
    assert form.newstack(form.curstack).switch() is not form.curstack()


def test_invoke_returns_the_exception_and_nothing_else(form):
    exc = ValueError()

    def f(*args, **kwargs):
        if not args:
            raise exc
        assert (args, kwargs) == ((1,), {"a": 2})
        return "dropped"

    assert form.invoke(f, (1,), {"a": 2}) is None
    assert form.invoke(f, (), None) is exc
    assert exc.__traceback__ is not None
    assert isinstance(form.invoke(f, (5,), None), AssertionError)
    assert isinstance(form.invoke(None, (), None), TypeError)


@pytest.mark.parametrize("exc", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
def test_invoke_returns_every_kind_of_exception(form, exc):
    def f():
        raise exc

    assert form.invoke(f, (), None) is exc


# ---- the place of a go call


def test_callersite_is_the_nearest_frame_outside(form):
    code, lasti = form.callersite()
    assert code is test_callersite_is_the_nearest_frame_outside.__code__
    lines = {n for start, end, n in code.co_lines() if start <= lasti < end}
    assert lines == {code.co_firstlineno + 1}


@pytest.mark.parametrize("name", ["runtime", "runtime.proc", "gonet", "gonet.net.dial"])
def test_callersite_leaves_our_own_frames_out(form, name):
    scope = {"__name__": name, "callersite": form.callersite}
    exec("def f(): return callersite()", scope)
    code, _ = scope["f"]()
    assert code is test_callersite_leaves_our_own_frames_out.__code__


@pytest.mark.parametrize("name", ["runtimes", "gonetwork", "my.runtime", "__main__"])
def test_callersite_does_not_leave_others_out(form, name):
    scope = {"__name__": name, "callersite": form.callersite}
    exec("def f(): return callersite()", scope)
    assert scope["f"]()[0] is scope["f"].__code__


@pytest.mark.parametrize("name", [None, 5, "\udc80"])
def test_callersite_bears_odd_names(form, name):
    scope = {"__name__": name, "callersite": form.callersite}
    exec("def f(): return callersite()", scope)
    try:
        got = scope["f"]()
    except Exception as err:
        pytest.fail(f"__name__ = {name!r}: {err!r}")
    assert got[0] is scope["f"].__code__


def test_callersite_without_a_name(form):
    scope = {"callersite": form.callersite, "__builtins__": {}}
    exec("def f(): return callersite()", scope)
    assert scope["f"]()[0] is scope["f"].__code__


@pytest.mark.parametrize("keep, want", [("immortal(fin)", ""), ("pass", "del\n")])
def test_immortal_things_are_not_freed_at_exit(keep, want):
    program = f"""
        class Fin:
            def __del__(self, write=os.write):
                write(1, b"del\\n")
        from runtime.asm import immortal
        fin = Fin()
        {keep}
    """
    assert runs(program) == want


# ---- the stretches without a lock


def _is_locks(node, name):
    return (
        isinstance(node, ast.If)
        and isinstance(node.test, ast.Name)
        and node.test.id == "LOCKS"
        and len(node.body) == 1
        and isinstance(node.body[0], ast.Expr)
        and isinstance(node.body[0].value, ast.Call)
        and ast.unparse(node.body[0].value.func) == name
    )


_GIVES_WAY = (
    ast.Call, ast.For, ast.While, ast.With, ast.Try, ast.Await, ast.Yield, ast.YieldFrom, ast.ListComp, ast.SetComp,
    ast.DictComp, ast.GeneratorExp, ast.Import, ast.ImportFrom, ast.Raise, ast.JoinedStr, ast.Subscript, ast.Delete,
)  # fmt: skip


def stretches(path):
    """(line, statements) of all that stands between `if LOCKS: lock(x)` and `if LOCKS: unlock(x)`."""
    for node in ast.walk(ast.parse(path.read_text())):
        for body in (getattr(node, "body", None), getattr(node, "orelse", None), getattr(node, "finalbody", None)):
            if not isinstance(body, list):
                continue
            start = None
            for i, statement in enumerate(body):
                if _is_locks(statement, "lock"):
                    assert start is None, f"{path}:{statement.lineno}: nested"
                    start = i
                elif _is_locks(statement, "unlock"):
                    assert start is not None, f"{path}:{statement.lineno}: unlock without lock"
                    yield statement.lineno, body[start + 1 : i]
                    start = None
            assert start is None, f"{path}: a stretch without an end"


def run_with_the_gil(node):
    """The nodes below this one that are run with the GIL: not what an inner `if LOCKS` guards, and no look at the
    buffer of a channel, which is a list, at an int."""
    yield node
    if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "LOCKS" and not node.orelse:
        return
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Subscript) and ast.unparse(child.value) == "c.buf":
            child = child.slice
        yield from run_with_the_gil(child)


SOURCES = [p for package in ("runtime", "gonet") for p in sorted((ROOT / package).rglob("*.py"))]


def test_stretches_that_rely_on_the_gil_contain_no_call_and_no_loop():
    """With the GIL they run whole: see asm.py, Locks."""
    found = 0
    for path in SOURCES:
        for line, statements in stretches(path):
            found += 1
            for statement in statements:
                for node in run_with_the_gil(statement):
                    assert not isinstance(node, _GIVES_WAY), f"{path}:{node.lineno}: {ast.dump(node)}"
    assert found >= 14


def ways(statements):
    """The courses that end in a return, each as its conditions and statements; no other `if` may lie on one."""
    *before, last = statements
    if isinstance(last, ast.If):
        for branch in (last.body, last.orelse):
            if branch:
                yield from ([*before, last.test, *way] for way in ways(branch))
    else:
        assert isinstance(last, ast.Return), f"{last.lineno}: {ast.unparse(last)}"
        yield statements


def test_the_quick_ways_of_channels_contain_no_call_and_no_loop():
    """if not LOCKS ...: all of the operation, up to its return; but last of all one who waited may be readied."""
    found = 0
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.If) and ast.unparse(node.test).startswith("not LOCKS"):
                for way in ways([node]):
                    found += 1
                    if ast.unparse(way[-2]) == "goready(sg.g)":
                        way = way[:-2]
                    for part in way:
                        called = [n for n in run_with_the_gil(part) if isinstance(n, _GIVES_WAY)]
                        assert not called, f"{path}:{part.lineno}: {ast.unparse(part)}"
    assert found == 4


def test_the_quick_way_of_a_reader_contains_no_call_and_no_loop_before_the_switch():
    """netpollblock, from the look at rg to the goroutine in it; the uncompiled poller, from the look to taking it."""
    found = 0
    for name, last in (("netpoll", "pd.rg = gp"), ("netpoll_pure", "pd.rg = pd.wg = pdReady")):
        for node in ast.walk(ast.parse((ROOT / "runtime" / f"{name}.py").read_text())):
            body = [ast.unparse(statement) for statement in node.body] if isinstance(node, ast.If) else []
            if last in body and len(body) > 2:
                found += 1
                for part in (node.test, *node.body[: body.index(last) + 1]):
                    assert not any(isinstance(n, _GIVES_WAY) for n in ast.walk(part)), f"{name}:{part.lineno}"
    assert found == 2


_READ = re.compile(r"(\w+) = self\.(\w+)")


def test_the_quick_ways_of_locks_contain_no_call_and_no_loop():
    """n = self.field; if LOCKS or ...: the slow way; else: self.field = n ± something."""
    found = 0
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            for body in (getattr(node, "body", None), getattr(node, "orelse", None), getattr(node, "finalbody", None)):
                if not isinstance(body, list):
                    continue
                for before, statement in zip(body, body[1:]):
                    test = getattr(statement, "test", None)
                    if not (
                        isinstance(statement, ast.If)
                        and isinstance(test, ast.BoolOp)
                        and isinstance(test.values[0], ast.Name)
                        and test.values[0].id == "LOCKS"
                    ):
                        continue
                    found += 1
                    read = _READ.fullmatch(ast.unparse(before))
                    assert read, f"{path}:{before.lineno}"
                    assert len(statement.orelse) == 1, f"{path}:{statement.lineno}"
                    quick = ast.unparse(statement.orelse[0])
                    assert quick.startswith(f"self.{read[2]} = {read[1]} "), f"{path}:{statement.lineno}: {quick}"
                    for part in (test, *statement.orelse):
                        assert not any(isinstance(n, _GIVES_WAY) for n in ast.walk(part)), f"{path}:{part.lineno}"
    assert found >= 12
