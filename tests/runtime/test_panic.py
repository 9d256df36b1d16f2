"""Exceptions that leave a goroutine: who is told, in which words, and what becomes of the program."""

from __future__ import annotations

import re

import pytest

import runtime
from runtime.panic import Error, GoexitException, Throw, created_by, throw
from tests.helpers import child, runs, spawn, until_dead

pytestmark = pytest.mark.usefixtures("nothing_left_over")


@pytest.fixture
def hooked():
    """The (g, exc) that the hook was called with."""
    calls = []
    old = runtime.SetPanicHook(lambda g, exc: calls.append((g, exc)))
    yield calls
    runtime.SetPanicHook(old)


def test_the_report(capsys):
    def inner():
        raise ValueError("the reason")

    def outer():
        inner()

    g = runtime.go(outer)  # the go call
    until_dead(g)
    err = capsys.readouterr().err
    assert err.startswith(f"goroutine {g.goid} [running]:\n")
    assert "ValueError: the reason" in err
    assert "in outer" in err and "in inner" in err
    assert re.search(rf"created by .*test_the_report.* in goroutine 1\n\t{re.escape(__file__)}:\d+\n", err)


def test_the_report_names_the_line_of_the_go_call():
    program = """
        def fail(): 1 / 0
        def start():
            x = 1
            return go(
                fail
            )
        g = start()
        while g.state() != "dead": gtime.Sleep(0.001)
    """
    r = child(program, prelude="import runtime\nfrom gonet import go\nfrom gonet import time as gtime\n")
    assert r.returncode == 0
    lines = r.stderr.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("created by "))
    assert lines[at] == "created by start in goroutine 1"
    assert re.fullmatch(r"\t<string>:\d+", lines[at + 1])
    assert int(lines[at + 1].rpartition(":")[2]) in (9, 10)  # the program's line 5, after 4 lines of prelude


def test_frames_of_the_runtime_are_left_out(capsys):
    def fail():
        raise ValueError

    until_dead(runtime.go(fail))
    err = capsys.readouterr().err
    assert "runtime/proc.py" not in err and "goroutine_entry" not in err and "runtime/asm.py" not in err


def test_the_program_goes_on_and_its_status_is_0():
    r = child("until_state(go(lambda: 1 / 0), 'dead')\nsay('on')")
    assert (r.returncode, r.stdout) == (0, "on\n")
    assert "ZeroDivisionError" in r.stderr


def test_finally_blocks_run_before_the_report():
    program = """
        def f():
            try:
                1 / 0
            finally:
                gtime.Sleep(0.01)
                print("finally", file=sys.stderr, flush=True)
        until_state(go(f), "dead")
    """
    r = child(program)
    assert r.stderr.index("finally") < r.stderr.index("goroutine ")


def test_a_cause_and_a_context_are_reported(capsys):
    def fail():
        try:
            raise KeyError("first")
        except KeyError as e:
            raise ValueError("second") from e

    until_dead(runtime.go(fail))
    err = capsys.readouterr().err
    assert "KeyError: 'first'" in err and "ValueError: second" in err and "direct cause" in err


def test_the_hook_gets_the_goroutine_and_the_exception(hooked, capsys):
    exc = ValueError()

    def fail():
        raise exc

    g = runtime.go(fail)
    until_dead(g)
    assert hooked == [(g, exc)]
    assert hooked[0][1] is exc
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("exc", [ValueError("x"), BaseException("x"), GeneratorExit(), StopIteration(), Error("x")])
def test_every_kind_of_exception_is_told(hooked, exc):
    def fail():
        raise exc

    until_dead(runtime.go(fail))
    assert [e for _, e in hooked] == [exc]


def test_exceptions_that_are_caught_are_not(hooked):
    def f():
        try:
            raise ValueError
        except ValueError:
            return 5

    assert spawn(f).join() == 5
    assert hooked == []


def test_setting_a_hook_returns_the_last_and_none_restores_the_first():
    first = runtime.SetPanicHook(None)
    runtime.SetPanicHook(None)
    mine = lambda g, exc: None
    standard = runtime.SetPanicHook(mine)
    assert runtime.SetPanicHook(None) is mine
    assert runtime.SetPanicHook(first) is standard
    assert standard is runtime.panic.printpanic


@pytest.mark.parametrize("hook", [5, "x", object()])
def test_a_hook_must_be_callable(hook):
    with pytest.raises(TypeError, match="SetPanicHook"):
        runtime.SetPanicHook(hook)


def test_the_hook_runs_in_the_goroutine_and_may_block(hooked):
    from gonet.time import Sleep
    from runtime.proc import getg

    seen = []

    def hook(g, exc):
        Sleep(0.001)
        seen.append((getg() is g, g.state()))

    def fail():
        raise ValueError

    runtime.SetPanicHook(hook)
    until_dead(runtime.go(fail))
    assert seen == [(True, "running")]


def test_a_hook_that_fails_is_reported_with_what_it_was_told(capsys):
    def hook(g, exc):
        raise KeyError("the hook")

    def fail():
        raise ValueError("the goroutine")

    old = runtime.SetPanicHook(hook)
    try:
        until_dead(runtime.go(fail))
    finally:
        runtime.SetPanicHook(old)
    err = capsys.readouterr().err
    assert "the hook" in err and "the goroutine" in err


@pytest.mark.parametrize("how", ["sys.exit(7)", "raise SystemExit(7)"])
def test_a_hook_may_end_the_program(how):
    program = f"""
        def hook(g, exc):
            {how}
        runtime.SetPanicHook(hook)
        go(lambda: 1 / 0)
        try:
            gtime.Sleep(5)
            say("slept")
        finally:
            gtime.Sleep(0.01)
            say("finally")
    """
    assert runs(program, status=7) == "finally\n"


def test_any_exception_of_a_hook_leaves_the_scheduler_intact():
    program = """
        class Odd(BaseException): pass
        def hook(g, exc):
            raise Odd
        runtime.SetPanicHook(hook)
        for i in range(3):
            g = go(lambda: 1 / 0)
            until_state(g, "dead")
        runtime.SetPanicHook(None)
        gtime.Sleep(0.01)
        until_state(go(say, "on"), "dead")
    """
    r = child(program)
    assert (r.returncode, r.stdout) == (0, "on\n"), r.stderr


@pytest.mark.parametrize(
    "breakage", ["sys.stderr.close()", "os.close(2)", "sys.stderr = None", "del sys.stderr", "os.dup2(w, 2)"]
)
def test_a_broken_stderr_harms_nobody(breakage):
    program = f"""
        r, w = os.pipe()
        os.close(r)
        {breakage}
        for i in range(3):
            until_state(go(lambda: 1 / 0), "dead")
        gtime.Sleep(0.01)
        say("on")
        os._exit(0)
    """
    r = child(program)
    assert (r.returncode, r.stdout) == (0, "on\n"), r.stderr


def test_an_exception_that_cannot_be_printed_harms_nobody():
    program = """
        class Mute(Exception):
            def __str__(self): raise RuntimeError
            __repr__ = __str__
        def fail(): raise Mute
        until_state(go(fail), "dead")
        say("on")
    """
    r = child(program)
    assert (r.returncode, r.stdout) == (0, "on\n"), r.stderr


def test_paniccrash_ends_the_program_with_status_2():
    program = """
        import atexit
        atexit.register(say, "atexit")
        print("buffered")
        def other():
            try: gtime.Sleep(100)
            finally: say("other's finally")
        go(other)
        go(lambda: 1 / 0)
        try: gtime.Sleep(5)
        finally: say("main's finally")
    """
    r = child(program, env={"GODEBUG": "paniccrash=1"})
    assert (r.returncode, r.stdout) == (2, "buffered\n")
    assert "ZeroDivisionError" in r.stderr


def test_paniccrash_does_not_mind_exits_and_goexit():
    program = """
        go(runtime.Goexit)
        gtime.Sleep(0.02)
        go(sys.exit, 4)
        gtime.Sleep(5)
    """
    assert runs(program, status=4, env={"GODEBUG": "paniccrash=1"}) == ""


def test_goexit_is_not_told(hooked):
    until_dead(runtime.go(runtime.Goexit))
    assert hooked == []


def test_goexit_passes_except_exception():
    def f():
        try:
            runtime.Goexit()
        except Exception:
            return "caught"

    assert not issubclass(GoexitException, Exception)
    assert isinstance(spawn(f).error(), GoexitException)


def test_an_exception_in_goexits_finally_is_told(hooked):
    def f():
        try:
            runtime.Goexit()
        finally:
            raise ValueError

    until_dead(runtime.go(f))
    assert [type(e) for _, e in hooked] == [ValueError]


def test_throw_is_beyond_except_exception():
    assert not issubclass(Throw, Exception)
    with pytest.raises(Throw, match="fatal error: the words"):
        throw("the words")


def test_main_was_created_by_nobody():
    from runtime.proc import getg

    assert created_by(getg()) == ""


def test_misuse_is_an_exception():
    assert issubclass(runtime.Error, Exception) and not issubclass(runtime.Error, OSError)
