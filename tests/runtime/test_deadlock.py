"""Deadlock: when it is raised, where, and when it is not. Each case is a program of its own."""

from __future__ import annotations

import re

import pytest

from tests.helpers import runs

DEADLOCK = "all goroutines are asleep - deadlock!"


def deadlocked(before: str, wait: str = "semacquire(Sema())", **kwargs) -> str:
    """Run `before`, then `wait`, which must raise the deadlock within a second or so; the report."""
    program = f"""
{before}
try:
    {wait}
except runtime.Error as e:
    say(e)
else:
    say("not raised")
"""
    out = runs(program, **kwargs)
    assert out.startswith(DEADLOCK), out
    return out


def test_main_alone():
    out = deadlocked("")
    assert out.startswith(
        f"{DEADLOCK}\n\ngoroutine 1 [semacquire]:\nTraceback (most recent call last):\n  File \"<string>\", line "
    )


def test_every_goroutine_is_listed_with_its_state():
    out = deadlocked("gs = [go(semacquire, Sema()) for _ in range(3)]\nsay(*[g.goid for g in gs]) if 0 else None")
    assert out.count("[semacquire]:") == 4
    assert out.index("goroutine 1 [") == out.index("goroutine ")


def test_it_tells_where_each_waits_how_long_and_where_it_was_started():
    out = deadlocked(
        """
from runtime.rawsys import nanotime
def waits():
    semacquire(Sema())
def starts():
    return until_state(go(waits), "semacquire")
g = starts()
g.waitsince = nanotime() - 125 * 10**9
def thread():
    semacquire(Sema(), 4)
threading.Thread(target=thread, daemon=True).start()
until(lambda: [m for m in sched.extram.values() if m.curg.state() == "select"])
def main():
    semacquire(Sema())
""",
        "main()",
    )
    words, *blocks = out.rstrip().split("\n\n")
    assert words == DEADLOCK
    assert [re.fullmatch(r"goroutine \d+ \[(.*)\]:", b.partition("\n")[0]).group(1) for b in blocks] == [
        "semacquire", "semacquire, 2 minutes", "select"]  # fmt: skip
    for b, fn in zip(blocks, ["main", "waits", "thread"]):
        assert f", in {fn}\n" in b + "\n", out
    assert re.search(r"\ncreated by starts in goroutine 1\n\t<string>:\d+$", blocks[1])
    assert "created by" not in blocks[0] + blocks[2]
    assert "runtime/" not in out


def test_with_gotraceback_none_there_are_the_words_alone():
    assert deadlocked("go(semacquire, Sema())", env={"GOTRACEBACK": "none"}) == DEADLOCK + "\n"


def test_a_thousand_goroutines_are_listed():
    out = deadlocked("def f(): semacquire(Sema())\nfor _ in range(1000): go(f)")
    assert out.count("[semacquire]:") == 1001 and out.count(", in f\n") == 1000


def test_it_ends_the_program_if_it_is_not_caught():
    r = runs("semacquire(Sema())", status=1, quiet=False)
    assert r == ""


def test_uncaught_it_is_on_stderr():
    from tests.helpers import child

    r = child("semacquire(Sema())")
    assert r.returncode != 0
    assert DEADLOCK in r.stderr and "goroutine 1 [semacquire]:" in r.stderr


def test_finally_blocks_of_main_run():
    program = """
        try:
            try:
                semacquire(Sema())
            finally:
                gtime.Sleep(0.01)
                say("finally")
        except runtime.Error:
            say("caught")
    """
    assert runs(program) == "finally\ncaught\n"


def test_caught_it_leaves_nothing_behind():
    program = """
        s = Sema()
        g = go(semacquire, s)
        for i in range(3):
            try:
                semacquire(s)
            except runtime.Error as e:
                say("caught")
        say(runtime.NumGoroutine(), len(s.waiters), s.count)
        semrelease(s)
        until_state(g, "dead")
        semrelease(s)
        semacquire(s)
        say(runtime.NumGoroutine(), len(s.waiters), s.count)
    """
    assert runs(program) == "caught\ncaught\ncaught\n2 1 0\n1 0 0\n"


def test_the_one_to_blame_may_be_the_last_to_park():
    program = """
        s = Sema()
        def f():
            gtime.Sleep(0.05)
            semacquire(Sema())
        go(f)
        try:
            semacquire(s)
        except runtime.Error as e:
            say(str(e).count("[semacquire]:"))
    """
    assert runs(program) == "2\n"


def test_after_goroutines_that_slept():
    deadlocked("for i in range(10):\n    go(gtime.Sleep, 0.01 * i)")


# ---- what must be awaited first


@pytest.mark.parametrize(
    "waker",
    [
        pytest.param("go(lambda: (gtime.Sleep(0.3), semrelease(s)))", id="sleeper"),
        pytest.param("go(lambda: (runtime.Syscall(time.sleep, 0.3), semrelease(s)))", id="syscall"),
        pytest.param("threading.Thread(target=lambda: (time.sleep(0.6), semrelease(s))).start()", id="thread"),
        pytest.param(
            "threading.Thread(target=lambda: (gtime.Sleep(0.6), semrelease(s))).start()", id="thread-that-sleeps-here"
        ),
        pytest.param(
            "threading.Thread(target=lambda: (threading.Event().wait(0.6), go(semrelease, s))).start()",
            id="thread-that-starts-a-goroutine",
        ),
        pytest.param("a, b = tcp_pair(); go(lambda: (a.Read(bytearray(9)), semrelease(s)))\nw = b.Write\n"
                     "threading.Thread(target=lambda: (time.sleep(0.3), w(b'x'))).start()", id="reader"),
    ],
)  # fmt: skip
def test_not_while_somebody_may_still_wake(waker):
    assert runs(f"s = Sema()\n{waker}\nsemacquire(s)\nsay('woken')") == "woken\n"


def test_not_while_a_goroutine_waits_for_io():
    program = """
        import subprocess
        a, b = sockets = socket.socketpair()
        fd, _ = fds(a.dup(), b.dup(), "unix")
        other = subprocess.Popen(
            [sys.executable, "-c", "import time, os; time.sleep(0.5); os.write(0, b'x'); time.sleep(0.5)"], stdin=b)
        a.close(), b.close(), _.Close()
        say(fd.Read(bytearray(5)))
        other.wait()
    """
    assert runs(program) == "1\n"


def test_but_when_the_thread_has_ended():
    deadlocked("threading.Thread(target=time.sleep, args=(0.3,)).start()")


def test_but_when_a_thread_that_called_in_has_ended():
    """It ran, as a goroutine, when main looked for a deadlock; it never parks, and so has nobody look again."""
    program = """
        from runtime.gmp import _Gwaiting
        from runtime.proc import getg
        def thread():
            getg()
            adopted.set()
            looks = 0  # in a row that found main asleep; in the first it may still be looking
            while looks < 20:
                asleep = sched.maing.status == _Gwaiting and sched.m0.blocked == 1 and sched.recheck
                looks = looks + 1 if asleep else 0
                time.sleep(0.001)
        adopted = threading.Event()
        threading.Thread(target=thread).start()
        adopted.wait()
        try:
            semacquire(Sema())
        except runtime.Error as e:
            say(str(e).splitlines()[0])
    """
    assert runs(program) == f"{DEADLOCK}\n"


@pytest.mark.parametrize("lingers", [0, 2])
def test_but_when_a_thread_has_ended_that_called_in_while_it_died(lingers):
    """Its M was let go already, and the call has made it another. The system may still list it in the first looks."""
    program = """
        lingers = int(sys.argv[1])
        access = os.access
        def slow(path, mode):
            global lingers
            if path.startswith("/proc/self/task/") and lingers > 0:
                lingers -= 1
                return True
            return access(path, mode)
        late = []
        class Late:
            def __del__(self):
                getg()
                late.append(threading.get_ident() in sched.extram)
        from runtime.proc import getg
        local = threading.local()
        def thread():
            getg()
            local.late = Late()
        t = threading.Thread(target=thread)
        t.start()
        t.join()
        say(late)
        if not sched.extram:  # CPython 3.13 clears the thread's locals once more
            lingers = 0
        os.access = slow
        try:
            semacquire(Sema())
        except runtime.Error as e:
            say(str(e).splitlines()[0], len(sched.extram), lingers)
    """
    assert runs(program, str(lingers)) == f"[True]\n{DEADLOCK} 0 0\n"


def test_but_when_the_syscall_has_ended():
    deadlocked("go(runtime.Syscall, time.sleep, 0.2)")


def test_but_when_a_syscall_that_was_given_up_has_ended():
    """Nobody waits for it any more, so its end wakes nobody; the deadlock is there all the same."""
    deadlocked(
        """
class Stop(Exception): pass
def handler(*args): raise Stop
signal.signal(signal.SIGALRM, handler)
try:
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    runtime.Syscall(time.sleep, 0.4)
except Stop:
    pass
"""
    )


def test_idle_helpers_of_syscalls_wake_nobody():
    deadlocked("for i in range(5): go(runtime.Syscall, time.sleep, 0.01)\ngtime.Sleep(0.1)")


def test_a_stopped_timer_does_not_count():
    deadlocked(
        """
a, b = tcp_pair()
a.SetReadDeadline(time.monotonic() + 3600)
a.SetReadDeadline(0)
"""
    )


def test_the_timer_of_a_closed_descriptor_does_not_count():
    deadlocked("a, b = tcp_pair()\na.SetDeadline(time.monotonic() + 3600)\na.Close(), b.Close()")


def test_the_timer_of_an_interrupted_sleep_does_not_count():
    deadlocked(
        """
from runtime.proc import inject
g = go(gtime.Sleep, 3600)
until_state(g, "sleep")
runtime.SetPanicHook(lambda g, exc: None)
inject(g, ValueError())
until_state(g, "dead")
"""
    )


def test_a_timer_moved_later_counts_once():
    """Moved from soon to later and then stopped: what it left in the heap counts as nothing."""
    deadlocked(
        """
from runtime.time import modify, stop, timer
from runtime.rawsys import nanotime
t = timer(lambda *args: None, None)
modify(t, nanotime() + 3600 * 10**9, 0, None, 0)
modify(t, nanotime() + 1800 * 10**9, 0, None, 0)
stop(t)
"""
    )


def test_a_thread_that_is_parked_itself_does_not_count():
    deadlocked(
        """
t = threading.Thread(target=semacquire, args=(Sema(),), daemon=True)
t.start()
until(lambda: [m for m in sched.extram.values() if m.curg.state() == "semacquire"])
"""
    )


def test_a_thread_that_parked_while_main_ran_does_not_count():
    """It is then the thread that sleeps in the poller, and main on its note."""
    deadlocked(
        """
t = threading.Thread(target=semacquire, args=(Sema(),), daemon=True)
t.start()
while not [m for m in sched.extram.values() if m.curg.state() == "semacquire" and m.blocked]:
    time.sleep(0.001)
"""
    )


def test_a_thread_that_parks_after_main_does_not_count():
    deadlocked(
        """
def f():
    time.sleep(0.3)
    semacquire(Sema())
threading.Thread(target=f, daemon=True).start()
"""
    )


@pytest.mark.parametrize("procs", ["2", "4"])
def test_with_more_than_one_p(procs):
    deadlocked("for i in range(8): go(semacquire, Sema())", env={"GOMAXPROCS": procs})


@pytest.mark.parametrize("procs", ["2", "4"])
def test_with_more_than_one_p_when_the_last_to_park_is_not_main(procs):
    deadlocked(
        """
def f():
    spin(0.3)
    semacquire(Sema())
for i in range(4):
    go(f)
    time.sleep(0.02)
""",
        env={"GOMAXPROCS": procs},
    )


SLOW_CHECK = """
from runtime import deadlock
check = deadlock.check
def slow(mp):
    time.sleep(0.2)  # others may have the GIL meanwhile
    return check(mp)
deadlock.check = slow
"""


def test_not_if_a_thread_arms_a_timer_while_it_is_checked():
    program = (
        SLOW_CHECK
        + """
s = Sema()
def thread():
    time.sleep(0.1)
    gtime.Sleep(0.5)
    semrelease(s)
threading.Thread(target=thread).start()
semacquire(s)
say("woken")
"""
    )
    assert runs(program) == "woken\n"


def test_not_if_another_m_arms_a_timer_while_it_is_checked():
    program = (
        SLOW_CHECK
        + """
runtime.GOMAXPROCS(2)
for i in range(5):
    go(gtime.Sleep, 0.1)
    spin(0.05)
    gtime.Sleep(0.3)
say("woken")
"""
    )
    assert runs(program) == "woken\n"


def test_in_a_child_after_fork():
    program = """
        pid = os.fork()
        try:
            semacquire(Sema())
        except runtime.Error as e:
            say(str(e).splitlines()[0])
        if not pid:
            os._exit(0)
        os.waitpid(pid, 0)
    """
    assert runs(program).count(DEADLOCK) == 2


def test_goroutines_go_on_after_it():
    program = """
        try:
            semacquire(Sema())
        except runtime.Error:
            pass
        a, b = tcp_pair()
        go(b.Write, b"hello")
        say(a.Read(bytearray(10)))
        gtime.Sleep(0.01)
        say(runtime.Syscall(lambda: 5), runtime.NumGoroutine())
    """
    assert runs(program) == "5\n5 1\n"


@pytest.mark.parametrize("timer", ["0.0002, 0.0002", "0.0005"])
def test_not_while_an_alarm_goes_off(timer):
    """At that moment it is not set any more, and its handler has not run yet."""
    program = f"""
        s = Sema()
        def handler(*args):
            semrelease(s)
        signal.signal(signal.SIGALRM, handler)
        for i in range(2000):
            if i == 0 or {len(timer.split(","))} == 1:
                signal.setitimer(signal.ITIMER_REAL, {timer})
            semacquire(s)
        signal.setitimer(signal.ITIMER_REAL, 0)
        say("never")
    """
    assert runs(program, limit=100) == "never\n"


def test_but_when_no_alarm_is_set():
    deadlocked("signal.signal(signal.SIGALRM, lambda *args: None)")


def test_not_if_somebody_has_been_woken_since_it_was_looked_at():
    """As by a thread that was looked at later, when it waited in its turn."""
    program = """
        import runtime.deadlock
        s, t, woken = Sema(), Sema(), []
        def armed():
            if not woken:
                woken.append(True)
                semrelease(t)
            return False
        runtime.deadlock.armed = armed
        def f():
            semacquire(t)
            semrelease(s)
        go(f)
        semacquire(s)
        say("went on", woken)
        try:
            semacquire(s)
        except runtime.Error as err:
            say(str(err).splitlines()[0])
    """
    assert runs(program) == "went on [True]\nall goroutines are asleep - deadlock!\n"


def test_not_while_a_thread_is_about_to_find_that_it_need_not_park():
    """Its goroutine counts as waiting by then."""
    program = """
        import runtime.deadlock
        from runtime.gmp import WaitLock
        from runtime.proc import gopark
        class Slow(WaitLock):
            def unlockf(self, gp, mode):
                while not looked:
                    time.sleep(0.001)
                return False
        def f():
            gopark(Slow(), 9, 0)
            semrelease(s)
        def check(mp, real=runtime.deadlock.check):
            delay = real(mp)
            if sched.maing.waitsince:
                looked.append(1)
            return delay
        runtime.deadlock.check = check
        s, looked = Sema(), []
        threading.Thread(target=f).start()
        semacquire(s)
        say("went on")
    """
    assert runs(program) == "went on\n"
