"""The main goroutine: what reaches it from the others, and how the program ends."""

from __future__ import annotations

import os
import signal
import textwrap
import threading
import time

import pytest

import runtime
from gonet.time import Sleep
from runtime.gmp import sched
from runtime.main import exitstatus
from runtime.proc import getg
from runtime.sema import Sema, semacquire, semrelease
from tests.helpers import Thread, child, connected, listening, runs, spawn, until, until_state

pytestmark = pytest.mark.usefixtures("nothing_left_over")


def test_main_is_the_main_threads_own():
    assert getg() is sched.maing
    assert sched.m0.curg is sched.maing
    assert sched.m0.ident == threading.main_thread().ident


@pytest.mark.parametrize("gil", [True, False])
def test_without_the_gil_the_import_says_what_is_made_for_it(gil):
    prelude = f"import sys; sys._is_gil_enabled = lambda: {gil}\n"
    program = """
        import runtime
        from gonet.sync import atomic
        x = atomic.Int64()
        print(x.Add(2), runtime.GOMAXPROCS(0))
    """
    r = child(program, prelude=prelude, env={"PYTHONWARNINGS": "default", "GOMAXPROCS": ""})
    assert (r.returncode, r.stdout) == (0, "2 1\n"), r.stderr
    assert r.stderr.count("RuntimeWarning: gonet runs without the GIL, for which only its atomic types") == (not gil)


def test_it_is_adopted_when_the_import_was_on_another_thread():
    program = """
        t = threading.Thread(target=lambda: __import__("runtime.timesleep"))
        t.start()
        t.join()
        import runtime
        from runtime.gmp import sched
        from runtime.proc import getg
        from runtime.timesleep import timeSleep
        out = []
        g = runtime.go(out.append, 1)
        while g.state() != "dead": timeSleep(0.01)
        print(out, getg() is sched.maing, getg().goid, runtime.NumGoroutine())
    """
    assert runs(program, prelude="import threading\n") == "[1] True 1 1\n"


# ---- exits and interrupts from other goroutines, wherever main is parked


def parks():
    """(id, a park of main's, what must be true afterwards)."""

    def read():
        with connected() as (a, b):
            try:
                a.Read(bytearray(5))
            finally:
                assert a.pd.rg is None
                b.Write(b"x")
                assert a.Read(bytearray(5)) == 1

    def write():
        with connected() as (a, b):
            try:
                while True:
                    a.Write(bytes(1 << 20))
            finally:
                assert a.pd.wg is None

    def accept():
        with listening() as (fd, _):
            try:
                fd.Accept()
            finally:
                assert fd.pd.rg is None

    def acquire():
        s = Sema()
        try:
            semacquire(s)
        finally:
            assert len(s.waiters) == 0
            semrelease(s)
            semacquire(s)

    def goschedloop():
        while True:
            runtime.Gosched()

    return {
        "sleep": lambda: Sleep(1000),
        "read": read,
        "write": write,
        "accept": accept,
        "semacquire": acquire,
        "syscall": lambda: runtime.Syscall(time.sleep, 0.2),
        "gosched": goschedloop,
    }


@pytest.mark.parametrize("exc", [SystemExit(3), KeyboardInterrupt()], ids=["exit", "interrupt"])
@pytest.mark.parametrize("park", list(parks()))
def test_an_exit_in_a_goroutine_is_raised_in_main(park, exc):
    def other():
        if park != "gosched":
            until(lambda: sched.maing.state() not in ("running", "runnable"))
        raise exc

    before = runtime.NumGoroutine()
    go = runtime.go(other)
    with pytest.raises(type(exc)) as caught:
        parks()[park]()
    assert caught.value is exc
    until_state(go, "dead")
    assert runtime.NumGoroutine() == before
    assert sched.maing.injected is None


def test_an_exit_reaches_a_main_that_is_not_parked_at_its_next_park():
    exc = SystemExit(3)

    def other():
        raise exc

    runtime.go(other)
    runtime.go(int)
    with pytest.raises(SystemExit):
        while True:
            runtime.Gosched()


def test_an_exit_is_not_reported_to_the_panic_hook():
    calls = []
    old = runtime.SetPanicHook(lambda g, exc: calls.append(exc))
    try:
        runtime.go(exit, 3)
        with pytest.raises(SystemExit):
            Sleep(1000)
    finally:
        runtime.SetPanicHook(old)
    assert calls == []


@pytest.mark.parametrize("code, status", [("", 0), ("0", 0), ("3", 3), ("'words'", 1), ("None", 0)])
def test_the_status_of_an_exit_in_a_goroutine(code, status):
    out = runs(f"go(sys.exit, {code})\ngtime.Sleep(5)" if code else "go(sys.exit)\ngtime.Sleep(5)", status=status,
               quiet=code != "'words'")  # fmt: skip
    assert out == ""


def test_an_exit_in_a_goroutine_on_another_m():
    program = """
        def f():
            spin(0.2)
            sys.exit(6)
        for i in range(4):
            go(f)
            time.sleep(0.01)
        try:
            gtime.Sleep(5)
        finally:
            say("finally")
    """
    assert runs(program, status=6, env={"GOMAXPROCS": "2"}) == "finally\n"


def test_interrupts_while_main_is_parked():
    program = """
        import _thread
        def other():
            gtime.Sleep(0.1)
            os.kill(os.getpid(), signal.SIGINT)
            gtime.Sleep(0.1)
            say("other goes on")
        go(other)
        try:
            semacquire(Sema())
        except KeyboardInterrupt:
            say("interrupted")
        gtime.Sleep(0.2)
    """
    out = runs(program)
    assert sorted(out.splitlines()) in (["interrupted", "other goes on"], ["interrupted"])


@pytest.mark.parametrize(
    "park",
    ["gtime.Sleep(10)", "semacquire(s)", "a.Read(bytearray(5))", "ln.Accept()", "runtime.Syscall(time.sleep, 2)"],
)
def test_a_signal_from_outside_interrupts_main_wherever_it_is_parked(park):
    program = f"""
        a, b = tcp_pair()
        ln, _ = listener()
        s = Sema()
        pid = os.getpid()
        if os.fork() == 0:
            time.sleep(0.6)  # longer than the parent may be held up before its try
            os.kill(pid, signal.SIGINT)
            os._exit(0)
        go(gtime.Sleep, 100)
        try:
            {park}
        except KeyboardInterrupt:
            say("interrupted", runtime.NumGoroutine(), a.pd.rg, ln.pd.rg, len(s.waiters))
        os.wait()
        b.Write(b"xyz")
        say(a.Read(bytearray(5)))
    """
    assert runs(program) == "interrupted 2 None None 0\n3\n"


# ---- signal handlers


@pytest.fixture
def on_usr1():
    """Sets the handler of SIGUSR1."""
    old = signal.getsignal(signal.SIGUSR1)
    yield lambda handler: signal.signal(signal.SIGUSR1, handler)
    signal.signal(signal.SIGUSR1, old)


def kill_when_parked(state="sleep"):
    """A thread sends SIGUSR1 to the process once main is parked in that state."""

    def f():
        give_up = time.monotonic() + 10
        while sched.maing.state() != state and time.monotonic() < give_up:
            time.sleep(0.001)
        time.sleep(0.02)  # asleep in the poller, and not just on the way
        os.kill(os.getpid(), signal.SIGUSR1)

    return Thread(f)


def test_handlers_run_while_main_is_parked(on_usr1):
    s = Sema()
    on_usr1(lambda signum, frame: semrelease(s))
    t = kill_when_parked("semacquire")
    semacquire(s)
    t.join()


def test_handlers_run_on_the_main_thread(on_usr1):
    s = Sema()
    seen = []

    def handler(signum, frame):
        seen.append((signum, threading.current_thread() is threading.main_thread()))
        semrelease(s)

    on_usr1(handler)
    t = kill_when_parked("semacquire")
    semacquire(s)
    t.join()
    assert seen == [(signal.SIGUSR1, True)]


def test_a_handler_may_start_goroutines(on_usr1):
    s = Sema()
    on_usr1(lambda signum, frame: runtime.go(semrelease, s))
    t = kill_when_parked("semacquire")
    semacquire(s)
    t.join()


def test_a_handler_may_block(on_usr1):
    """It sleeps, makes a blocking call and waits for a goroutine, while other goroutines run."""
    done = Sema()
    log = []

    def handler(signum, frame):
        Sleep(0.01)
        log.append(runtime.Syscall(lambda: "syscall"))
        s = Sema()
        runtime.go(semrelease, s)
        semacquire(s)
        log.append("woken")
        semrelease(done)

    on_usr1(handler)
    for _ in range(3):
        ticks = []
        ticker = spawn(lambda ticks=ticks: [(Sleep(0.001), ticks.append(1)) for _ in range(5)])
        t = kill_when_parked("semacquire")
        semacquire(done)
        t.join()
        ticker.join()
    assert log == ["syscall", "woken"] * 3


BLOCKED_IN_HANDLERS = """
    woken = Sema()
    def interrupt(handler):  # returns once the handler, on g0, has released woken
        def send():
            while sched.maing.state() != "semacquire" or not sched.m0.blocked:
                time.sleep(0.001)
            os.kill(os.getpid(), signal.SIGUSR1)
        signal.signal(signal.SIGUSR1, handler)
        t = threading.Thread(target=send)
        t.start()
        semacquire(woken)
        t.join()
    for _ in range(3):
        go(str)
    until(lambda: runtime.NumGoroutine() == 1)  # there are spare stacks now: a new goroutine needs no g0
"""


def test_a_handler_may_block_while_others_leave_no_time_to_sleep():
    """The g0 that has taken the place of the one it runs on is begun only by the end of that."""
    program = """
        done = []
        def spin():
            while not done:
                runtime.Gosched()
        def handler(*args):
            go(spin)
            gtime.Sleep(0.001)
            done.append(True)
            semrelease(woken)
        for _ in range(3):
            done.clear()
            interrupt(handler)
            until(lambda: runtime.NumGoroutine() == 1)
        say("ended")
    """
    assert runs(textwrap.dedent(BLOCKED_IN_HANDLERS) + textwrap.dedent(program)) == "ended\n"


def test_handlers_that_block_may_end_in_any_order():
    """Each on a g0 that has taken the place of the one before."""
    program = """
        import itertools
        for order in itertools.permutations(range(3)):
            gates = [Sema() for _ in order]
            begun, ended = [], []
            def handler(*args):
                k = len(begun)
                begun.append(k)
                semrelease(woken)
                semacquire(gates[k])
                gtime.Sleep(0.001)
                ended.append(k)
            for _ in order:
                interrupt(handler)
            for n, k in enumerate(order):
                semrelease(gates[k])
                until(lambda: len(ended) == n + 1)
            until(lambda: runtime.NumGoroutine() == 1)
            assert ended == list(order), (ended, order)
        say("ended")
    """
    assert runs(textwrap.dedent(BLOCKED_IN_HANDLERS) + textwrap.dedent(program)) == "ended\n"


def test_a_handler_that_raises_raises_in_main(on_usr1):
    class Stop(Exception):
        pass

    def handler(signum, frame):
        raise Stop

    on_usr1(handler)
    for park in ("sleep", "read", "accept", "semacquire"):
        state = {"read": "IO wait", "accept": "IO wait"}.get(park, park)
        t = kill_when_parked(state)
        with pytest.raises(Stop):
            parks()[park]()
        t.join()


def test_a_handler_that_raises_after_it_has_blocked_raises_in_main(on_usr1):
    class Stop(Exception):
        pass

    def handler(signum, frame):
        Sleep(0.01)
        raise Stop

    on_usr1(handler)
    t = kill_when_parked("sleep")
    with pytest.raises(Stop):
        Sleep(1000)
    t.join()
    Sleep(0.001)


def test_signals_that_arrive_at_any_moment_are_all_handled():
    """A timer signal every half millisecond whose handler wakes and starts goroutines, over busy ones."""
    program = """
        s, handled, taken = Sema(), 0, 0
        def handler(*args):
            global handled
            handled += 1
            semrelease(s)
            go(int)
        def waiter():
            global taken
            while True:
                semacquire(s)
                taken += 1
        go(waiter)
        a, b = tcp_pair()
        def echo():
            buf = bytearray(100)
            while True:
                b.Write(buf[: b.Read(buf)])
        go(echo)
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
        buf = bytearray(100)
        end = time.monotonic() + 2
        while time.monotonic() < end:
            a.Write(b"x" * 50)
            assert a.Read(buf) == 50
            gtime.Sleep(0.0001)
        signal.setitimer(signal.ITIMER_REAL, 0)
        until(lambda: taken == handled)
        assert handled > 100
        say(runtime.NumGoroutine())
    """
    assert runs(program) == "3\n"


def test_handlers_that_raise_at_any_moment_lose_no_wakeups():
    """Events come in batches: those that have been fetched with a signal are for the others all the same."""
    program = """
        import random
        from runtime.proc import getg
        class Stop(Exception): pass
        came = handled = 0
        def handler(*args):
            global came, handled
            came += 1
            g = getg()
            if g is sched.maing or g is sched.m0.g0:  # main, or the scheduler on its behalf
                handled += 1
                raise Stop
        seen = []
        runtime.SetPanicHook(lambda g, exc: seen.append(exc))
        counts = [0] * 5
        def chat(i):
            a, b = tcp_pair()
            buf = bytearray(10)
            while True:
                a.Write(b"x")
                assert b.Read(buf) == 1
                counts[i] += 1
                gtime.Sleep(1e-4)
        for i in range(5): go(chat, i)
        signal.signal(signal.SIGALRM, handler)
        end = time.monotonic() + 2
        while time.monotonic() < end:
            before = came
            try:
                try:
                    signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-4, 3e-3))
                    gtime.Sleep(0.002)
                finally:
                    if signal.setitimer(signal.ITIMER_REAL, 0)[0] == 0:  # sent; but the handler may be put off
                        until(lambda: came > before)
            except Stop:
                pass
            assert came - before <= 1
        assert seen == [], seen
        assert handled > 10, handled
        before = list(counts)
        until(lambda: all(a > b for a, b in zip(counts, before)))
        say("all go on")
        os._exit(0)
    """
    assert runs(program) == "all go on\n"


def test_handlers_that_raise_at_any_moment_do_not_break_the_scheduler():
    """As Ctrl-C may: it reaches main, now or at its next park, and afterwards everything works as before."""
    program = """
        import random
        class Stop(Exception): pass
        came = 0
        def handler(*args):
            global came
            came += 1
            raise Stop
        signal.signal(signal.SIGALRM, handler)
        runtime.SetPanicHook(lambda g, exc: say("lost:", repr(exc)) if not isinstance(exc, Stop) else None)
        got = 0
        end = time.monotonic() + 3
        while time.monotonic() < end:
            before = came
            try:
                try:
                    signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-5, 6e-4))
                    for _ in range(200):
                        gtime.Sleep(1e-5)
                finally:
                    if signal.setitimer(signal.ITIMER_REAL, 0)[0] == 0:  # sent; but the handler may be put off
                        until(lambda: came > before)
            except Stop:
                got += 1
            assert got == came
        gtime.Sleep(0.01)
        until_state(go(say, "on"), "dead")
        assert got > 100, got
        say(runtime.NumGoroutine())
    """
    assert runs(program) == "on\n1\n"


# ---- the end


OTHERS = """
def wait(what, write=os.write):  # bound here: names of the module may be gone by then
    try:
        what()
    finally:
        write(1, b"finally\\n")
        gtime.Sleep(0.01)

class Fin:
    def __del__(self, write=os.write):
        write(1, b"del\\n")

def local(what):
    fin = Fin()
    wait(what)

a, b = tcp_pair()
ln, _ = listener()
s = Sema()
gs = [go(local, f) for f in (
    lambda: gtime.Sleep(100), lambda: a.Read(bytearray(5)), lambda: ln.Accept(), lambda: semacquire(s),
    lambda: runtime.Syscall(time.sleep, 100))]
for g in gs:
    until(lambda: g.state() not in ("runnable", "running"))
t = threading.Thread(target=local, args=(lambda: semacquire(s),), daemon=True)
t.start()
until(lambda: len(s.waiters) == 2)
"""


@pytest.mark.parametrize(
    "end, status",
    [("", 0), ("sys.exit(5)", 5), ("raise SystemExit(6)", 6), ("os._exit(7)", 7)],
    ids=["returns", "exits", "raises", "_exits"],
)
def test_when_main_ends_the_program_ends_silently_with_its_status(end, status):
    """Others are parked in every way, within try and finally: nothing of theirs runs any more."""
    assert runs(OTHERS + end, status=status) == ""


def test_main_failing_is_said_and_nothing_else():
    r = child(OTHERS + "raise ValueError('main')")
    assert (r.returncode, r.stdout) == (1, "")
    assert r.stderr.count("\nValueError: main") == 1 and "Exception ignored" not in r.stderr


def test_goroutines_that_have_not_run_never_run():
    assert runs("for i in range(10): go(say, i)") == ""


def test_with_more_than_one_m():
    program = """
        def f():
            try:
                gtime.Sleep(100)
            finally:
                say("finally")
        for i in range(20):
            go(f)
            time.sleep(0.002)
        gtime.Sleep(0.05)
        sys.exit(3)
    """
    assert runs(program, status=3, env={"GOMAXPROCS": "3"}) == ""


def test_while_goroutines_run_on_other_ms():
    program = """
        def f():
            while True:
                spin(0.001)
                runtime.Gosched()
        for i in range(4):
            go(f)
            time.sleep(0.005)
        sys.exit(3)
    """
    assert runs(program, status=3, env={"GOMAXPROCS": "2"}) == ""


@pytest.mark.parametrize("f", ["runtime.Gosched()", "gtime.Sleep(0.0001)", "a.recv(); b.send(1)"])
def test_at_the_end_the_other_ms_rest_for_good(f):
    program = f"""
        import atexit, sys, threading, time
        def last():  # called after what the runtime does
            others = [mp for mp in sched.allm if mp is not sched.m0]
            until = time.monotonic() + 20  # of one that sleeps when asked nothing is to be seen until it wakes
            while time.monotonic() < until and not all(mp.blocked for mp in others):
                time.sleep(0.001)
            ticks = [mp.p.schedtick for mp in others]
            time.sleep(0.05)
            print(len(others), ticks == [mp.p.schedtick for mp in others], [mp.curg for mp in others])
        atexit.register(last)
        import runtime
        from runtime.gmp import sched
        from gonet import chan, go, time as gtime
        a, b = chan(1), chan(1)
        a.send(1)
        def back():
            while True:
                b.recv()
                a.send(1)
        def f():
            while True:
                {f}
        while len(sched.allm) < 3 or not all(mp.nwired for mp in sched.allm[1:]):
            go(f)
            go(back)
            time.sleep(0.002)
    """
    assert runs(program, prelude="", env={"GOMAXPROCS": "3"}) == "2 True [None, None]\n"


def test_atexit_functions_that_are_called_after_the_runtimes_may_still_need_other_ms():
    program = """
        import atexit, sys, time
        @atexit.register
        def last():
            a.send("to another M")
            print(b.recv())
            gtime.After(0.01).recv()
            print(sched.exiting, home is not sched.m0)
        from runtime.gmp import sched
        from runtime.proc import getg
        from gonet import chan, go, time as gtime
        a, b = chan(), chan()
        def f():
            global home
            home = getg().m
            b.send(a.recv())
        home = None
        go(f)
        while home is None:
            time.sleep(0.001)  # M 0 is busy: another takes it
    """
    assert runs(program, prelude="", env={"GOMAXPROCS": "2"}) == "to another M\nFalse True\n"


def test_goroutines_that_compute_on_other_ms_do_not_crash_the_end():
    """Their threads are ended by force, in the middle of stacks that have moved to and fro."""
    program = """
        def deep(n):
            if n:
                deep(n - 1)
            else:
                gtime.Sleep(0.0005)
        def compute():
            for i in range(20):
                deep(i)
            computing.append(1)
            while True:
                pass
        def other():
            while True:
                gtime.Sleep(0.0003)
        computing = []
        for i in range(40):
            go(other if i % 2 else compute)
            time.sleep(0.001)  # M 0 is busy: others take it
        while not computing:
            time.sleep(0.001)
        sys.exit(3)
    """
    for _ in range(4):
        assert runs(program, status=3, env={"GOMAXPROCS": "3"}) == ""


def test_live_threads_are_waited_for_as_python_does():
    program = """
        def work():
            time.sleep(0.2)
            go(say, "goroutine")
            gtime.Sleep(0.01)
            say("thread")
        threading.Thread(target=work).start()
    """
    assert "thread" in runs(program).splitlines()  # and the goroutine's, before or after


def test_threads_that_were_just_started_are_waited_for():
    """CPython would free what they begin with: here it is the monitor's, started by the first go."""
    program = """
        import atexit, sys
        atexit.register(lambda: print(starting, sched.own_starting))  # called last
        from runtime.gmp import sched
        from gonet import go
        sys.setswitchinterval(1000)
        go(int)
        starting = sched.own_starting
    """
    assert runs(program, prelude="") in ("1 0\n", "0 0\n")


def test_atexit_functions_may_still_block():
    program = """
        import atexit
        @atexit.register
        def last():
            gtime.Sleep(0.01)
            until_state(go(say, "goroutine"), "dead")
            say("last")
    """
    assert runs(program) == "goroutine\nlast\n"


# ---- Goexit in main


def test_goexit_in_main_lets_the_others_end():
    program = """
        def other():
            semacquire(said)
            gtime.Sleep(0.01)
            say("other")
        said = Sema()
        go(other)
        try:
            runtime.Goexit()
        finally:
            gtime.Sleep(0.01)
            say("finally")
            semrelease(said)
    """
    r = child(program)
    assert r.returncode not in (0, None)
    assert r.stdout == "finally\nother\n"
    assert "no goroutines (main called runtime.Goexit) - deadlock!" in r.stderr
    assert "Traceback" not in r.stderr


def test_goexit_in_main_deep_in_calls():
    r = child("def f(n): runtime.Goexit() if n == 0 else f(n - 1)\nf(20)")
    assert r.returncode != 0
    assert "no goroutines (main called runtime.Goexit) - deadlock!" in r.stderr


def test_goexit_in_main_and_a_deadlock_of_the_others():
    r = child("go(semacquire, Sema())\nruntime.Goexit()")
    assert r.returncode != 0
    assert "all goroutines are asleep - deadlock!" in r.stderr


def test_goexit_in_main_and_an_exit_of_another():
    program = """
        def other():
            gtime.Sleep(0.05)
            sys.exit(9)
        go(other)
        runtime.Goexit()
    """
    assert runs(program, status=9) == ""


def test_other_exceptions_are_reported_as_ever_after_goexit_was_caught():
    program = """
        try:
            runtime.Goexit()
        except BaseException:
            pass
        raise ValueError("still told")
    """
    r = child(program)
    assert r.returncode == 1 and "ValueError: still told" in r.stderr


@pytest.mark.parametrize(
    "exc, status",
    [
        (SystemExit(), 0),
        (SystemExit(None), 0),
        (SystemExit(3), 3),
        (SystemExit(True), 1),
        (SystemExit(256 + 7), 7),
        (SystemExit(-1), 255),
        (ValueError(), 1),
        (KeyboardInterrupt(), 1),
    ],
)
def test_statuses(exc, status):
    assert exitstatus(exc) == status


def test_an_exit_with_words_says_them(capsys):
    assert exitstatus(SystemExit("the words")) == 1
    assert capsys.readouterr().err == "the words\n"
