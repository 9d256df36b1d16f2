"""Goroutine dumps: who is in them, in which words, and that they can be taken at any moment."""

from __future__ import annotations

import inspect
import re
import signal
import sys

import pytest

import runtime
from gonet.time import Sleep
from runtime import sysmon
from runtime.debug import gotraceback, parsetraceback
from runtime.gmp import sched
from runtime.proc import getg
from runtime.rawsys import nanotime
from runtime.sema import Sema, semacquire, semrelease
from runtime.traceback import goroutineheader, tracebackothers
from tests.helpers import Thread, child, connected, parked, runs, spawn, until, until_dead, until_state

pytestmark = pytest.mark.usefixtures("nothing_left_over")

MINUTE = 60_000_000_000


def blocks(text):
    """{heading: the lines below it} of a dump, in its order."""
    out = {}
    for block in text.split("\n\n"):
        heading, _, rest = block.partition("\n")
        assert re.fullmatch(r"goroutine \d+ \[.+\]:", heading), f"no heading: {heading!r} in\n{text}"
        assert heading not in out, heading
        out[heading] = rest
    return out


def block(text, g):
    """(state, lines) of g's block."""
    found = re.search(rf"(?:^|\n\n)goroutine {g.goid} \[(.*)\]:\n((?:.+\n)*)", text)
    assert found, f"goroutine {g.goid} is not in\n{text}"
    return found.groups()


def wait_here(s):
    semacquire(s)


@pytest.fixture
def waiter():
    """A goroutine that waits in wait_here."""
    s = Sema()
    g = runtime.go(wait_here, s)
    until_state(g, "semacquire")
    yield g
    semrelease(s)
    until_dead(g)


# ---- the caller


def test_the_caller_alone():
    line = inspect.currentframe().f_lineno + 1
    text = runtime.Stack()
    assert list(blocks(text)) == [f"goroutine {getg().goid} [running]:"]
    assert f'File "{__file__}", line {line}, in test_the_caller_alone' in text
    assert text.endswith("    text = runtime.Stack()\n")


def test_in_another_goroutine_it_tells_where_that_was_started():
    def f():
        return runtime.Stack()

    t = spawn(f)
    text = t.join()
    assert text.startswith(f"goroutine {t.g.goid} [running]:\nTraceback (most recent call last):\n")
    assert "in f\n" in text and re.search(r"\ncreated by (Task\.)?__init__ in goroutine 1\n\t", text)
    assert "test_the_caller" not in text


def test_the_caller_is_first_of_all(waiter):
    t = spawn(runtime.Stack, True)
    headings = list(blocks(t.join()))
    assert headings[0] == f"goroutine {t.g.goid} [running]:"
    assert headings[1] == "goroutine 1 [sleep]:"  # in join; the rest is in order
    assert f"goroutine {waiter.goid} [semacquire]:" in headings


def test_without_all_there_are_no_others(waiter):
    assert len(blocks(runtime.Stack())) == 1
    assert len(blocks(runtime.Stack(False))) == 1


def test_in_a_greenlet_of_the_programs_own():
    from greenlet import greenlet

    def inner():
        return runtime.Stack()

    text = greenlet(inner).switch()
    assert text.startswith(f"goroutine {getg().goid} [running]:") and "in inner\n" in text


# ---- the others


def test_where_a_parked_one_waits_and_where_it_was_started(waiter):
    state, lines = block(runtime.Stack(True), waiter)
    assert state == "semacquire"
    code = wait_here.__code__
    assert f'File "{code.co_filename}", line {code.co_firstlineno + 1}, in wait_here\n    semacquire(s)\n' in lines
    assert re.search(r"created by (\w+) in goroutine 1\n\t.*test_traceback\.py:\d+\n$", lines).group(1) == "waiter"


def test_the_runtimes_own_are_not_shown(waiter):
    text = runtime.Stack(True)
    assert len(blocks(text)) == runtime.NumGoroutine() + len(sched.extram)
    for name in "proc", "asm", "mthread", "traceback", "sema":
        assert f"runtime/{name}.py" not in text.replace("tests/runtime", "")


@pytest.mark.parametrize(
    "wait, state",
    [
        pytest.param(lambda fd: semacquire(Sema()), "semacquire", id="semacquire"),
        pytest.param(lambda fd: Sleep(100), "sleep", id="sleep"),
        pytest.param(lambda fd: fd.Read(bytearray(1)), "IO wait", id="IO wait"),
        pytest.param(lambda fd: runtime.Syscall(semacquire, Sema()), "syscall", id="syscall"),
    ],
)
def test_states_are_in_gos_words(wait, state):
    from runtime.proc import inject

    class Stop(Exception):
        pass

    with connected() as (a, b):
        if state == "syscall":
            s = Sema()
            t = parked(lambda: runtime.Syscall(semacquire, s), state=state)
        else:
            t = parked(wait, a, state=state)
        assert block(runtime.Stack(True), t.g)[0] == state
        inject(t.g, Stop())
        assert isinstance(t.error(), Stop)
        if state == "syscall":
            semrelease(s)


def test_one_that_is_runnable(waiter):
    s = Sema()
    g = runtime.go(wait_here, s)
    until_state(g, "semacquire")
    semrelease(s)
    state, lines = block(runtime.Stack(True), g)
    assert state == "runnable" and "in wait_here\n    semacquire(s)" in lines
    until_dead(g)


class Callable:
    def __call__(self):
        pass

    def method(self):
        pass


def _partial():
    from functools import partial

    return partial(partial(wait_here), Sema())


@pytest.mark.parametrize(
    "fn, name",
    [(wait_here, "wait_here"), (Callable().method, "method"), (_partial(), "wait_here")],
    ids=["function", "method", "partial"],
)
def test_one_that_has_not_run_yet_shows_its_function(fn, name):
    g = runtime.go(fn, *([] if name != "wait_here" or fn is not wait_here else [Sema()]))
    s = Sema()
    try:
        state, lines = block(runtime.Stack(True), g)
        assert state == "runnable"
        assert f", in {name}\n" in lines and "created by" in lines
    finally:
        runtime.proc.inject(g, runtime.Error("enough"))
        old = runtime.SetPanicHook(lambda g, exc: None)
        until_dead(g)
        runtime.SetPanicHook(old)
        del s


def test_one_without_a_python_function():
    g = runtime.go(int)
    state, lines = block(runtime.Stack(True), g)
    assert state == "runnable" and lines.startswith("created by ")
    until_dead(g)


def test_those_that_have_ended_are_not_shown(waiter):
    g = runtime.go(int)
    until_dead(g)
    assert f"goroutine {g.goid} [" not in runtime.Stack(True)


def test_goroutines_that_run_on_other_threads():
    program = """
        from runtime.proc import getg
        ready, stop = [], []
        def busy():
            ready.append(getg())
            while not stop:
                pass
        def waits():
            semacquire(s)
        s = Sema()
        for _ in range(3):
            until_state(go(waits), "semacquire")
        go(busy)
        while not ready:  # main does not park: another M must take it
            time.sleep(0.001)
        text = runtime.Stack(True)
        stop.append(1)
        for g in ready:
            part = text.partition(f"goroutine {g.goid} [running]:\\n")[2].partition("\\n\\n")[0]
            assert ", in busy\\n" in part and "created by <module> in goroutine 1" in part, text
        assert text.count("in waits\\n") == 3, text
        say("done")
    """
    assert runs(program, env={"GOMAXPROCS": "4"}) == "done\n"


def test_threads_that_have_called_in():
    s, gone = Sema(), []

    def thread():
        runtime.NumGoroutine()
        wait_here(s)

    def busy():
        runtime.NumGoroutine()
        while not gone:
            pass

    t, u = Thread(thread), Thread(busy)
    until(lambda: t.state() == "semacquire" and u.state() == "running")
    text = runtime.Stack(True)
    waiting, running = (sched.extram[x.ident].curg for x in (t, u))
    gone.append(1)
    semrelease(s)
    state, lines = block(text, waiting)
    assert state == "semacquire" and "in wait_here\n" in lines and "in thread\n" in lines
    state, lines = block(text, running)
    assert state == "running" and "in busy\n" in lines
    t.join(), u.join()


def test_called_by_a_thread_it_is_the_threads_goroutine_that_runs(waiter):
    def thread():
        return runtime.Stack(True), sched.extram

    text, _ = Thread(thread).join()
    headings = list(blocks(text))
    assert headings[0].endswith(" [running]:") and not headings[0].startswith("goroutine 1 ")
    assert headings[1] in ("goroutine 1 [sleep]:", "goroutine 1 [running]:")
    assert f"goroutine {waiter.goid} [semacquire]:" in headings


# ---- what a block looks like


def test_deep_stacks_are_cut_in_the_middle(waiter):
    s = Sema()

    def deep(n):
        return deep(n - 1) if n else wait_here(s)

    g = runtime.go(deep, 300)
    until_state(g, "semacquire")
    lines = block(runtime.Stack(True), g)[1]
    assert "in wait_here" in lines and "in deep" in lines
    assert re.search(r"\n  \.\.\.(\d+) frames elided\.\.\.\n", lines).group(1) in ("202", "203", "204")
    semrelease(s)
    until_dead(g)


def test_one_that_is_locked_to_its_thread_says_so():
    g = getg()
    runtime.LockOSThread()
    try:
        assert f"goroutine {g.goid} [running, locked to thread]:" in runtime.Stack()
    finally:
        runtime.UnlockOSThread()
    assert f"goroutine {g.goid} [running]:" in runtime.Stack()


@pytest.mark.parametrize(
    "ago, want",
    [
        (0, "semacquire"),
        (59, "semacquire"),
        (61, "semacquire, 1 minutes"),  # Go's grammar too
        (125, "semacquire, 2 minutes"),
        (3601, "semacquire, 60 minutes"),
    ],
)
def test_the_minutes_of_a_wait(waiter, ago, want):
    waiter.waitsince = nanotime() - ago * 1_000_000_000
    assert goroutineheader(waiter) == f"goroutine {waiter.goid} [{want}]:\n"


def test_one_that_waits_no_longer_has_no_minutes():
    s = Sema()
    g = runtime.go(wait_here, s)
    until_state(g, "semacquire")
    g.waitsince = nanotime() - 3 * MINUTE
    semrelease(s)
    assert goroutineheader(g) == f"goroutine {g.goid} [runnable]:\n"
    until_dead(g)


def test_the_next_wait_is_counted_anew():
    s = Sema()

    def twice():
        semacquire(s)
        semacquire(s)

    g = runtime.go(twice)
    until_state(g, "semacquire")
    long_ago = g.waitsince = nanotime() - 3 * MINUTE
    semrelease(s)
    until(lambda: g.waitsince != long_ago)  # 0, or already marked again by the monitor
    until_state(g, "semacquire")
    assert goroutineheader(g) == f"goroutine {g.goid} [semacquire]:\n"
    semrelease(s)
    until_dead(g)


def test_the_monitor_marks_those_that_wait(waiter):
    t = Thread(wait_here, s := Sema())
    until(lambda: t.state() == "semacquire")
    foreign = sched.extram[t.ident].curg
    waiter.waitsince = foreign.waitsince = 0
    sysmon.markwaiting(5)
    assert waiter.waitsince == foreign.waitsince == 5
    sysmon.markwaiting(6)
    assert waiter.waitsince == 5
    assert getg().waitsince == 0
    semrelease(s)
    t.join()


def test_the_monitor_does_so_by_itself(waiter, monkeypatch):
    monkeypatch.setattr(sysmon, "_MARKEVERY", 0)
    waiter.waitsince = 0
    until(lambda: waiter.waitsince != 0)


def test_a_dump_is_a_mark_too(waiter):
    waiter.waitsince = 0
    before = nanotime()
    runtime.Stack(True)
    assert before <= waiter.waitsince <= nanotime()


# ---- at any moment


def test_from_a_signal_handler_while_main_sleeps():
    program = """
        out = []
        def handler(*args):
            out.append(runtime.Stack(True))
        signal.signal(signal.SIGALRM, handler)
        s = Sema()
        def waits():
            semacquire(s)
        g = until_state(go(waits), "semacquire")
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        gtime.Sleep(0.3)
        first, *rest = out[0].split("\\n\\n")
        assert first.startswith("goroutine 0 [running]:\\n") and "in handler" in first, out[0]
        assert len(rest) == 2, out[0]
        assert rest[0].startswith("goroutine 1 [sleep]:\\n") and "in <module>" in rest[0], out[0]
        assert rest[1].startswith(f"goroutine {g.goid} [semacquire]:\\n") and "in waits\\n" in rest[1], out[0]
        say("done")
    """
    assert runs(program) == "done\n"


def test_from_a_signal_handler_in_a_goroutine_that_computes():
    program = """
        out = []
        def handler(*args):
            out.append(runtime.Stack(True))
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        def busy():
            while not out:
                pass
        g = go(busy)
        until_state(g, "dead")
        first, second = out[0].split("\\n\\n")
        assert first.startswith(f"goroutine {g.goid} [running]:\\n"), out[0]
        assert ", in busy\\n" in first and ", in handler\\n" in first, out[0]
        assert second.startswith("goroutine 1 ["), out[0]
        say("done")
    """
    assert runs(program) == "done\n"


@pytest.mark.parametrize("procs", ["1", "3"])
def test_dumps_at_random_moments(procs):
    """Handlers and threads take dumps while goroutines switch, start and end and threads come and go."""
    program = """
        import re
        count, bad, frames = [0, 0], [], [0, 0]
        failed = "(no " + "traceback"  # the dumps show this program's lines
        def check(text, n):
            count[n] += 1
            for block in text.split("\\n\\n"):
                heading, _, lines = block.partition("\\n")
                if not re.fullmatch(r"goroutine \\d+ \\[[a-z ]+\\]:", heading) or failed in lines:
                    bad.append(block)  # raised in the middle of the scheduler it would do damage
                frames[bool(lines)] += 1
        def again():
            signal.setitimer(signal.ITIMER_REAL, 0.0013 if not over else 0)
        def handler(*args):
            check(runtime.Stack(True), 0)
            again()
        over = []
        signal.signal(signal.SIGALRM, handler)
        again()
        s = Sema()
        def deep(n):
            if n:
                return deep(n - 1)
            semrelease(s)
            runtime.Gosched()
            semacquire(s)
        def work():
            for i in range(30):
                deep(i)
        def thread():
            check(runtime.Stack(True), 1)
            deep(3)
        sys.setswitchinterval(1e-5)
        for i in range(1000):
            gs = [go(work) for _ in range(5)]
            t = threading.Thread(target=thread)
            t.start()
            for g in gs:
                while g.state() != "dead":
                    runtime.Gosched()
            t.join()
            if count[0] >= 150 and count[1] >= 20:
                break
        over.append(1)
        again()
        assert count[0] >= 20 and count[1] >= 20, count
        assert not bad, "\\n\\n".join(bad)
        assert frames[1] > 10 * frames[0], frames
        say("done")
    """
    assert runs(program, env={"GOMAXPROCS": procs}, limit=60) == "done\n"


@pytest.mark.parametrize(
    "breakage",
    [
        "g.gopc = 5",
        "g.gopc = (None, None)",
        "g.gr = 5",
        "g.waitreason = 999",
        "g.status = 5",
        "g.m = None",
        "sched.allgs.add(runtime.G())",
        "sys._current_frames = None",
        "linecache.getline = linecache.getlines = linecache.updatecache = None",
        "sched.extram[5] = type('X', (), {'curg': None})()",
        "sched.extram[5] = None",
        "sched.allgs.add(None)",
    ],
)
def test_nothing_makes_it_fail(breakage):
    program = f"""
        import linecache
        g = until_state(go(semacquire, Sema()), "semacquire")
        try:
            {breakage}
        except TypeError:  # compiled, it cannot be broken like that
            pass
        for all in False, True:
            text = runtime.Stack(all)
            assert text.startswith("goroutine "), text
        say(text)
        os._exit(0)
    """
    assert "[running]:" in runs(program)


def test_the_dump_of_a_hanging_test_is_the_same():
    from tests.conftest import goroutines

    assert goroutines().startswith(f"goroutine {getg().goid} [running]:\n")


# ---- GOTRACEBACK


@pytest.mark.parametrize(
    "text, want",
    [
        ("", (1, False, False)),
        ("single", (1, False, False)),
        ("none", (0, False, False)),
        ("0", (0, False, False)),
        ("all", (1, True, False)),
        ("1", (1, True, False)),
        ("system", (2, True, False)),
        ("2", (2, True, False)),
        ("99", (2, True, False)),
        ("crash", (2, True, True)),
        ("nonsense", (1, True, False)),
        ("-1", (0, False, False)),
    ],
)
def test_levels(text, want):
    assert parsetraceback(text) == want


def test_the_level_is_not_set_lower_than_the_environment_asks():
    program = """
        from runtime.debug import SetTraceback, gotraceback
        say(gotraceback())
        for level in "none", "system", "single":
            SetTraceback(level)
            say(gotraceback())
    """
    want = "(1, True, False)\n(1, True, False)\n(2, True, False)\n(1, True, False)\n"
    assert runs(program, env={"GOTRACEBACK": "all"}) == want


PANIC = """
    s = Sema()
    def waits():
        semacquire(s)
    def fails():
        1 / 0
    until_state(go(waits), "semacquire")
    g = go(fails)
    until_state(g, "dead")
"""


def panicked(level, **env):
    r = child(PANIC, env={"GOTRACEBACK": level, **env})
    return r.returncode, r.stderr


def test_by_default_only_the_one_that_fails_is_reported():
    status, err = panicked("")
    assert status == 0
    assert len(re.findall(r"^goroutine \d+ \[", err, re.M)) == 1
    assert re.match(r"goroutine \d+ \[running\]:\nTraceback \(most recent call last\):\n", err)
    assert "in fails\n" in err and "created by <module> in goroutine 1\n" in err and "waits" not in err


def test_all_reports_the_others_as_well():
    status, err = panicked("all")
    parts = err.rstrip("\n").split("\n\n")
    assert [re.match(r"goroutine \d+ \[(.*)\]:", p).group(1) for p in parts] == ["running", "sleep", "semacquire"]
    assert "ZeroDivisionError" in parts[0] and "in waits\n" in parts[2] and "runtime/" not in err


@pytest.mark.parametrize("level", ["none", "0"])
def test_none_reports_the_message_alone(level):
    assert panicked(level) == (0, "ZeroDivisionError: division by zero\n")


def test_system_reports_the_runtime_too():
    status, err = panicked("system")
    assert "goroutine 0 [" in err
    if not runtime.compiled:
        assert "runtime/proc.py" in err


def test_crash_ends_by_a_signal_where_the_program_ends():
    program = "import resource; resource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n" + inspect.cleandoc(PANIC)
    for debug, status in (("paniccrash=1", -signal.SIGABRT), ("", 0)):
        r = child(program, env={"GOTRACEBACK": "crash", "GODEBUG": debug})
        assert r.returncode == status, r.stderr
        assert "ZeroDivisionError" in r.stderr


def test_this_run_is_at_the_usual_level():
    """The tests above that look at reports in this process rely on it."""
    assert gotraceback()[0] == 1


def test_others_are_all_but_the_one_named(waiter):
    assert not any(b.startswith("goroutine 1 ") for b in tracebackothers(getg()))
    assert any(b.startswith("goroutine 1 [running]:") for b in tracebackothers())
    assert sys.getrecursionlimit() > 100
