"""Fork: the child has the forking goroutine and nothing else; the parent does not notice."""

from __future__ import annotations

import pytest

import runtime
from runtime.asm import LOCKS
from tests.helpers import PRELUDE, child, runs

# forked(f): run f in a forked child, give what it said, and its status
FORKED = (
    PRELUDE
    + """
def forked(f, syscall=runtime.Syscall):
    pid = os.fork()
    if pid == 0:
        signal.alarm(10)  # ends one that hangs
        status = 99
        try:
            f()
            status = 0
        except BaseException:
            import traceback
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(status)
    return os.waitstatus_to_exitcode(syscall(os.waitpid, pid, 0)[1])
"""
)

PARKED = """
from gonet import chan, net
ran = []
s = Sema()
c = chan()
lns = [net.Listen("tcp", "127.0.0.1:0") for _ in range(10)]
pairs = [tcp_pair() for _ in range(10)]
def work(i):
    kind, k = i % 5, i // 5
    if kind == 0: gtime.Sleep(1)
    elif kind == 1: semacquire(s)
    elif kind == 2: runtime.Syscall(time.sleep, 1)
    elif kind == 3: c.recv()
    elif k < 10: lns[k].Accept().Close()
    else: pairs[k - 10][0].Read(bytearray(1))
    ran.append(i)
    say(os.getpid() == parent)
def release():
    for i in range(20): semrelease(s)
    c.close()
    for ln in lns:
        net.Dial("tcp", str(ln.Addr())).Close()
    for _, b in pairs: b.Write(b"x")
parent = os.getpid()
gs = [go(work, i) for i in range(100)]
want = {"sleep": 20, "semacquire": 20, "syscall": 20, "chan receive": 20, "IO wait": 20}
def states():
    out = {}
    for g in gs: out[g.state()] = out.get(g.state(), 0) + 1
    return out
until(lambda: states() == want)
"""


def test_none_of_the_parents_goroutines_runs_in_the_child():
    program = (
        PARKED
        + """
def inchild():
    assert runtime.NumGoroutine() == 1, runtime.NumGoroutine()
    gtime.Sleep(1.5)  # longer than those in the parent
    gc.collect()
    assert ran == [], ran
    assert runtime.NumGoroutine() == 1
say("status", forked(inchild))
release()
until(lambda: runtime.NumGoroutine() == 1)
"""
    )
    out = runs(program, prelude=FORKED).split("\n")
    assert "False" not in out and "status 0" in out
    assert out.count("True") == 100


def test_those_that_have_not_run_do_not_run_in_the_child():
    program = """
        gs = [go(say, "ran in", os.getpid()) for _ in range(10)]
        pid = os.fork()
        if pid == 0:
            gtime.Sleep(0.05)
            say("child", runtime.NumGoroutine())
            os._exit(0)
        os.waitpid(pid, 0)
        until(lambda: runtime.NumGoroutine() == 1)
        say("parent", runtime.NumGoroutine())
    """
    out = runs(program).splitlines()
    assert out[0] == "child 1" and out[-1] == "parent 1"
    assert len(set(out[1:-1])) == 1 and len(out) == 12


def test_the_child_can_do_everything():
    """go, Sleep, Sema, Syscall, listen, dial, resolve, deadlines, signals, threads."""
    program = (
        PARKED
        + """
def inchild():
    out = []
    until_state(go(out.append, "go"), "dead")
    assert out == ["go"]
    t = Sema()
    go(lambda: (gtime.Sleep(0.01), semrelease(t)))
    semacquire(t)
    assert runtime.Syscall(lambda: 5) == 5
    fd, addr = listener()
    go(lambda: runtime.Syscall(socket.create_connection, addr).sendall(b"hello"))
    nfd, _ = fd.Accept()
    conn = FD(nfd)
    conn.Init("tcp", True)
    buf = bytearray(10)
    conn.SetReadDeadline(time.monotonic() + 5)
    assert conn.Read(buf) == 5
    conn.Close(), fd.Close()
    assert "127.0.0.1" in net.LookupHost("localhost")
    with net.Listen("tcp", "localhost:0") as l:
        go(lambda: net.Dial("tcp", f"localhost:{l.Addr().Port}").Write(b"hello"))
        with l.Accept() as conn:
            assert conn.Read(buf) == 5
    x, y = tcp_pair()
    x.SetReadDeadline(time.monotonic() + 0.02)
    try:
        x.Read(buf)
        assert False
    except TimeoutError:
        pass
    signal.signal(signal.SIGALRM, lambda *args: semrelease(t))
    go(gtime.Sleep, 5)
    signal.setitimer(signal.ITIMER_REAL, 0.02)
    semacquire(t)
    th = threading.Thread(target=lambda: (gtime.Sleep(0.01), semrelease(t)))
    th.start()
    semacquire(t)
    th.join()
say("status", forked(inchild))
os._exit(0)
"""
    )
    assert "status 0" in runs(program, prelude=FORKED).split("\n")


def test_from_a_goroutine_that_is_not_main():
    program = """
        def forker():
            pid = os.fork()
            if pid == 0:
                say("child", runtime.NumGoroutine())
                until_state(go(say, "started"), "dead")
                say("end of child")
                return
            say("status", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        g = go(forker)
        until_state(g, "dead")
        say("parent", runtime.NumGoroutine())
    """
    out = runs(program).splitlines()
    assert out == ["child 1", "started", "end of child", "status 0", "parent 1"]


@pytest.mark.parametrize(
    "end, status",
    [("sys.exit(7)", 7), ("runtime.Goexit()", None), ("1 / 0", 1), ("raise KeyboardInterrupt", 1), ("os._exit(3)", 3)],
)
def test_how_a_child_ends_whose_main_was_another_goroutine(end, status):
    """Never as the parent's main, whose frames are not to run in it."""
    program = f"""
        runtime.SetPanicHook(lambda g, exc: None)
        def forker():
            pid = os.fork()
            if pid == 0:
                {end}
                return
            say("status", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        until_state(go(forker), "dead")
        say("main")
    """
    r = child(program)
    assert r.returncode == 0, r.stderr
    first, last = r.stdout.splitlines()
    assert last == "main"
    if status is not None:
        assert first == f"status {status}"


def test_exits_and_interrupts_reach_the_childs_main():
    program = """
        def inchild():
            go(sys.exit, 5)
            try:
                gtime.Sleep(5)
            except SystemExit as e:
                assert e.code == 5
            go(lambda: (gtime.Sleep(0.02), os.kill(os.getpid(), signal.SIGINT)))
            try:
                gtime.Sleep(5)
                assert False
            except KeyboardInterrupt:
                pass
        say("status", forked(inchild))
    """
    assert runs(program, prelude=FORKED) == "status 0\n"


def test_from_a_foreign_thread():
    program = """
        def inchild():
            assert runtime.NumGoroutine() == 1, runtime.NumGoroutine()
            out = []
            until_state(go(out.append, 1), "dead")
            assert out == [1]
            assert runtime.Syscall(lambda: 5) == 5
        def thread():
            gtime.Sleep(0.01)
            say("status", forked(inchild))
        go(gtime.Sleep, 0.3)
        t = threading.Thread(target=thread)
        t.start()
        until(lambda: not t.is_alive())
        say("parent", runtime.NumGoroutine())
    """
    assert runs(program, prelude=FORKED).splitlines()[0] == "status 0"


def test_with_more_than_one_m():
    program = """
        def work():
            while not stop:
                runtime.Gosched()
        stop = []
        for i in range(4):
            go(work)
            time.sleep(0.01)
        def inchild():
            out = []
            for i in range(10): go(out.append, i)
            until(lambda: len(out) == 10)  # some may be with the other M
            assert sorted(out) == list(range(10)), out
            assert runtime.GOMAXPROCS(0) == 2
        for i in range(5):
            say(forked(inchild))
        stop.append(1)
        until(lambda: runtime.NumGoroutine() == 1)
    """
    assert runs(program, prelude=FORKED, env={"GOMAXPROCS": "2"}) == "0\n" * 5


@pytest.mark.parametrize("procs", ["1", "2"])
@pytest.mark.parametrize("where", ["here", "goroutine", "thread", "helper", "child"])
def test_a_deadlock_of_the_child_is_noticed(where, procs):
    """Though CPython still counts the threads that are in the parent alone: the monitor, Ms, helpers, the program's."""
    program = f"""
        from gonet import chan
        def inchild(again={where == "child"}):
            if again:
                until_state(go(runtime.Syscall, int), "dead")
                say(forked(lambda: inchild(False)))
            try:
                chan().recv()
            except runtime.Error as e:
                say(str(e).splitlines()[0])
        until_state(go(runtime.Syscall, time.sleep, 60), "syscall")
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
        fork = lambda: say(forked(inchild))
        match {where!r}:
            case "goroutine":
                until_state(go(fork), "dead")
            case "thread":
                t = threading.Thread(target=fork)
                t.start()
                until(lambda: not t.is_alive())
            case "helper":
                runtime.Syscall(lambda: say(forked(inchild, lambda fn, *args: fn(*args))))
            case _:
                fork()
        os._exit(0)
    """
    deadlock = "all goroutines are asleep - deadlock!\n0\n"
    assert runs(program, prelude=FORKED, env={"GOMAXPROCS": procs}) == deadlock * (1 + (where == "child"))


def test_a_thread_that_an_earlier_hook_starts_in_the_child_may_wake_it():
    program = """
        import os, sys, threading, time
        ch, looked = [], []
        def work():
            while not looked:  # for a deadlock, while main waits
                time.sleep(0.001)
            ch[0].send(7)
        os.register_at_fork(after_in_child=lambda: threading.Thread(target=work, daemon=True).start())
        import runtime.deadlock
        from gonet import chan, go
        from runtime.gmp import sched
        def check(mp, real=runtime.deadlock.check):
            delay = real(mp)
            if os.getpid() != parent and sched.maing.state() == "chan receive":
                looked.append(1)
            return delay
        runtime.deadlock.check = check
        parent = os.getpid()
        go(int)
        runtime.Syscall(int)
        ch.append(chan())
        pid = os.fork()
        if pid == 0:
            print("got", ch[0].recv(), flush=True)
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    """
    assert runs(program, prelude="") == "got 7\n0\n"


def test_a_child_of_a_child():
    program = """
        def grandchild():
            assert runtime.NumGoroutine() == 1
            gtime.Sleep(0.01)
            say("grandchild")
        def inchild():
            g = go(gtime.Sleep, 5)
            gtime.Sleep(0.01)
            say(forked(grandchild), runtime.NumGoroutine())
        say(forked(inchild))
    """
    assert runs(program, prelude=FORKED) == "grandchild\n0 2\n0\n"


def test_the_parent_is_not_disturbed():
    """While it forks again and again, echoes go on over one connection."""
    program = """
        a, b = tcp_pair()
        stop = []
        count = 0
        def echo():
            buf = bytearray(100)
            while True:
                n = b.Read(buf)
                if n == 0: return
                b.Write(buf[:n])
        def chat():
            global count
            buf = bytearray(100)
            while not stop:
                a.Write(b"hello")
                assert a.Read(buf) == 5
                count += 1
            a.Close()
        gs = [go(echo), go(chat)]
        def inchild():
            gtime.Sleep(0.01)
        for i in range(10):
            before = count
            assert forked(inchild) == 0
            until(lambda: count > before)
        stop.append(1)
        for g in gs: until_state(g, "dead")
        b.Close()
        say("undisturbed", runtime.NumGoroutine())
    """
    assert runs(program, prelude=FORKED) == "undisturbed 1\n"


# ---- inherited descriptors


def test_inherited_descriptors_can_be_read_though_a_goroutine_of_the_parent_was_parked_on_them():
    program = """
        a, b = tcp_pair()
        def read():
            buf = bytearray(10)
            n = a.Read(buf)
            say("parent", bytes(buf[:n]))
        g = until_state(go(read), "IO wait")
        parent = os.getpid()
        def inchild():
            os.kill(parent, signal.SIGSTOP)  # or else it would take the data
            buf = bytearray(10)
            go(lambda: (gtime.Sleep(0.05), b.Write(b"for child")))
            a.SetReadDeadline(time.monotonic() + 5)
            try:
                n = a.Read(buf)
            finally:
                os.kill(parent, signal.SIGCONT)
            say("child", bytes(buf[:n]))
        say(forked(inchild))
        assert g.state() == "IO wait"
        b.Write(b"for parent")
        until_state(g, "dead")
    """
    assert runs(program, prelude=FORKED) == "child b'for child'\n0\nparent b'for parent'\n"


def test_a_number_whose_registration_failed_once_is_its_next_owners():
    program = """
        from runtime.netpoll import poll_runtime_pollOpen
        y, z = fds(*socket.socketpair(), "unix")
        y.Close()
        f = os.open(sys.executable, os.O_RDONLY)
        assert poll_runtime_pollOpen(f)[0] is None  # a regular file
        z.Close()
        os.close(f)
        s, t = socket.socketpair()
        s.setblocking(False)
        c = FD(s.detach())
        c.Init("unix", True)
        assert c.Sysfd == f
        def inchild():
            c.SetReadDeadline(time.monotonic() + 5)
            go(lambda: (gtime.Sleep(0.01), t.send(b"x")))
            say(c.Read(bytearray(5)))
        say(forked(inchild))
    """
    assert runs(program, prelude=FORKED) == "1\n0\n"


def test_data_that_was_there_before_the_fork_is_read():
    program = """
        a, b = tcp_pair()
        b.Write(b"early")
        def inchild():
            buf = bytearray(10)
            say(a.Read(buf), a.SetReadDeadline(time.monotonic() + 0.05))
            try: a.Read(buf)
            except TimeoutError: say("timeout")
        say(forked(inchild))
    """
    assert runs(program, prelude=FORKED) == "5 None\ntimeout\n0\n"


def test_a_read_that_was_drained_before_the_fork():
    program = """
        a, b = tcp_pair()
        b.Write(b"early")
        assert a.Read(bytearray(10)) == 5
        def inchild():
            go(lambda: (gtime.Sleep(0.05), b.Write(b"later")))
            say(a.Read(bytearray(10)))
        say(forked(inchild))
    """
    assert runs(program, prelude=FORKED) == "5\n0\n"


def test_inherited_listeners_accept_though_a_goroutine_of_the_parent_was_parked_on_them():
    program = """
        ln, addr = listener()
        def accept():
            nfd, _ = ln.Accept()
            os.close(nfd)
            say("parent accepted")
        g = until_state(go(accept), "IO wait")
        parent = os.getpid()
        def inchild():
            os.kill(parent, signal.SIGSTOP)
            go(runtime.Syscall, socket.create_connection, addr)
            ln.SetReadDeadline(time.monotonic() + 5)
            try:
                nfd, _ = ln.Accept()
            finally:
                os.kill(parent, signal.SIGCONT)
            os.close(nfd)
            say("child accepted")
        say(forked(inchild))
        assert g.state() == "IO wait"
        socket.create_connection(addr).close()
        until_state(g, "dead")
    """
    assert runs(program, prelude=FORKED) == "child accepted\n0\nparent accepted\n"


@pytest.mark.parametrize("first", ["", "gtime.Sleep(0.01)"], ids=["at-once", "after-a-sleep"])
def test_inherited_descriptors_can_be_closed(first):
    """Though goroutines of the parent were parked on them; and their numbers can be used again."""
    program = f"""
        a, b = tcp_pair()
        ln, addr = listener()
        gs = [until_state(go(a.Read, bytearray(1)), "IO wait"), until_state(go(ln.Accept), "IO wait"),
              until_state(go(a.Read, bytearray(1)), "semacquire")]
        def inchild():
            {first}
            n = a.Sysfd
            a.Close()
            ln.Close()
            try: os.fstat(n)
            except OSError: pass
            else: assert False
            try: a.Read(bytearray(5))
            except ErrNetClosing: pass
            else: assert False
            x, y = tcp_pair()
            go(lambda: (gtime.Sleep(0.01), y.Write(b"abc")))
            assert x.Read(bytearray(10)) == 3
        say(forked(inchild))
        assert [g.state() for g in gs] == ["IO wait", "IO wait", "semacquire"]
        b.Write(b"x")
        until_state(gs[0], "dead")
        b.Write(b"y")
        until_state(gs[2], "dead")
        os._exit(0)
    """
    assert runs(program, prelude=FORKED) == "0\n"


def test_deadlines_of_the_parent_are_not_the_childs():
    program = """
        a, b = tcp_pair()
        a.SetReadDeadline(time.monotonic() + 0.2)
        def inchild():
            go(lambda: (gtime.Sleep(0.4), b.Write(b"late")))
            a.SetReadDeadline(0)
            say(a.Read(bytearray(10)))
        say(forked(inchild))
    """
    assert runs(program, prelude=FORKED) == "4\n0\n"


def test_a_descriptor_dropped_in_the_child_is_closed_there_alone():
    program = """
        import warnings
        warnings.simplefilter("ignore")
        a, b = tcp_pair()
        held = [a]
        n = a.Sysfd
        ino = os.fstat(n).st_ino
        del a
        def inchild():
            held.clear()
            gc.collect()
            gtime.Sleep(0.01)
            try: now = os.fstat(n).st_ino
            except OSError: return
            assert now != ino  # the number may be another descriptor by now
        say(forked(inchild))
        os.fstat(n)
        b.Write(b"x")
        say(held[0].Read(bytearray(5)))
    """
    assert runs(program, prelude=FORKED) == "0\n1\n"


def test_a_write_that_was_under_way_in_the_parent_goes_on_there():
    program = """
        a, b = tcp_pair()
        size = 8 << 20
        g = until_state(go(a.Write, bytes(size)), "IO wait")
        def inchild():
            pass
        assert forked(inchild) == 0
        n = 0
        buf = bytearray(65536)
        while n < size:
            n += b.Read(buf)
        until_state(g, "dead")
        say(n == size)
    """
    assert runs(program, prelude=FORKED) == "True\n"


# ---- the standard library's ways to fork


def test_multiprocessing():
    program = """
        import multiprocessing
        def work(q):
            gtime.Sleep(0.01)
            q.put((runtime.NumGoroutine(), runtime.Syscall(lambda: 5)))
        for i in range(5): go(gtime.Sleep, 0.2)
        ctx = multiprocessing.get_context("fork")
        q = ctx.SimpleQueue()
        p = ctx.Process(target=work, args=(q,))
        p.start()
        say(runtime.Syscall(q.get))
        runtime.Syscall(p.join)
        say(p.exitcode)
    """
    assert runs(program) == "(1, 5)\n0\n"


def test_subprocess_from_goroutines():
    program = """
        import subprocess
        out = []
        def run(i):
            out.append(runtime.Syscall(subprocess.check_output, ["echo", str(i)]).strip())
        gs = [go(run, i) for i in range(5)]
        for g in gs: until_state(g, "dead")
        say(sorted(out))
    """
    assert runs(program) == "[b'0', b'1', b'2', b'3', b'4']\n"


@pytest.mark.parametrize(
    "end, status, said",
    [("return", 0, ""), ("sys.exit(7)", 7, ""), ("raise ValueError('why')", 1, "ValueError: why"),
     ("raise KeyboardInterrupt", 1, "")],
)  # fmt: skip
def test_a_call_on_a_helper_thread_that_forks(end, status, said):
    """In the child is only the helper, with nobody to return to; and what is queued for it is the parent's."""
    program = f"""
        import runtime.syscall
        runtime.syscall.maxHelpers = 1
        parent = os.getpid()
        def f():
            while g.state() != "syscall":  # its call is queued behind this one
                time.sleep(0.001)
            pid = os.fork()
            if pid == 0:
                sys.stdout.write("of the child\\n")
                {end}
                return
            return pid
        g = go(lambda: say("queued", os.getpid() == parent, runtime.Syscall(os.getpid) == parent))
        pid = runtime.Syscall(f)
        until_state(g, "dead")
        say(os.waitstatus_to_exitcode(runtime.Syscall(os.waitpid, pid, 0)[1]))
    """
    r = child(program)
    assert r.returncode == 0
    assert sorted(r.stdout.splitlines()) == sorted([str(status), "of the child", "queued True True"]), r.stderr
    assert said in r.stderr if said else r.stderr == ""


@pytest.mark.parametrize("thread", ["threading.Thread", "go"])
def test_a_bubble_of_the_parent_is_none_of_the_childs(thread):
    program = f"""
        from gonet.testing import synctest
        from runtime.proc import getg
        def inchild():
            assert sched.bubbles == 0 and getg().bubble is None
            before = time.monotonic()
            gtime.Sleep(0.01)
            assert time.monotonic() - before >= 0.01
        def f():
            go(gtime.Sleep, 1)
            if {thread!r} == "go":
                say("status", forked(inchild, lambda f, *args: f(*args)))
            else:
                t = threading.Thread(target=lambda: say("status", forked(inchild, lambda f, *args: f(*args))))
                t.start(), t.join()
            gtime.Sleep(2)
        synctest.Test(f)
    """
    assert runs(program, prelude=FORKED) == "status 0\n"


def test_two_threads_that_fork_at_once():
    """One forks while the other's fork is under way; in each child those who waited in foreign threads wait no more."""
    first = """
import os, threading
def late():  # set before the runtime's: called after it
    if threading.current_thread() is threading.main_thread():
        t = threading.Thread(target=fork, args=("other",))
        t.start()
        t.join()
os.register_at_fork(before=late)
"""
    program = """
        from gonet import chan
        from runtime.chan import selectnbsend
        c = chan()
        waiting = threading.Thread(target=c.recv, daemon=True)
        waiting.start()
        until(lambda: c.recvfirst is not None)
        def fork(who):
            pid = os.fork()
            if pid == 0:
                say(who, selectnbsend(c, 1))
                os._exit(0)
            os.waitpid(pid, 0)
        fork("main")
        say(selectnbsend(c, 1))
    """
    assert runs(program, prelude=first + PRELUDE) == "other False\nmain False\nTrue\n"


# ---- locks of the runtime

LOCK = """
from runtime.asm import lock, mutex, trylock, unlock
def free(m):
    out = []
    def other():
        got = trylock(m)
        if got:
            unlock(m)
        out.append(got)
    t = threading.Thread(target=other)
    t.start(), t.join()
    return out[0]
m = mutex()
"""


def test_a_lock_that_another_thread_held_is_free():
    """Even for a thread that lives where the holder did: for that one it would be its own."""
    program = """
        def inchild():
            for i in range(3):
                assert free(m)
            lock(m)
            assert not free(m) and trylock(m)
            unlock(m)
            assert not free(m)
            unlock(m)
            assert free(m)
        for first in inchild, lambda: trylock(m) and not free(m) or 1 / 0:
            with Holding(m):
                say("status", forked(first))
            assert free(m)
    """
    assert runs(program, prelude=FORKED + LOCK) == "status 0\n" * 2


def test_a_lock_that_another_thread_held_is_free_in_a_child_of_a_child():
    program = """
        def grandchild():
            for lost in m, other:
                assert trylock(lost) and not free(lost)
            assert trylock(mine)
            unlock(mine)
            assert not (runtime.compiled and free(mine))
            unlock(mine)
            assert free(mine)
        def inchild():
            lock(mine)
            with Holding(other):
                say("status", forked(grandchild))
        mine, other = mutex(), mutex()
        with Holding(m):
            say("status", forked(inchild))
    """
    assert runs(program, prelude=FORKED + LOCK) == "status 0\n" * 2


def test_a_lock_that_the_forking_thread_held_is_its_own_in_the_child():
    """A finalizer forks, say."""
    program = """
        def inchild():
            assert trylock(m)
            unlock(m)
            assert not (runtime.compiled and free(m))
            unlock(m)
            assert free(m)
        lock(m)
        def thread():
            lock(n)
            say("status", forked(lambda: (unlock(n), free(n) and free(m) or 1 / 0)))
            unlock(n)
        n = mutex()
        say("status", forked(inchild))
        t = threading.Thread(target=thread)
        t.start(), t.join()
        assert not free(m) and free(n)
        unlock(m)
    """
    assert runs(program, prelude=FORKED + LOCK) == "status 0\n" * 2


@pytest.mark.parametrize("form", ["0", "1"])
def test_what_another_thread_was_at_is_usable(form):
    """With a lock taken on every way: a trace function from the start makes the uncompiled form one of that kind."""
    program = """
        from gonet import chan
        from gonet.sync import Map, Mutex, WaitGroup
        from gonet.sync.atomic import Int64, Pointer
        from runtime.netpoll import pollcache
        c, n, p, mu, wg, table = chan(1), Int64(), Pointer(), Mutex(), WaitGroup(), Map()
        def inchild():
            c.send(1)
            assert c.recv() == 1
            go(c.send, 2)
            assert c.recv() == 2 and n.Add(1) == 1 and p.Swap(5) is None
            mu.Lock()
            go(mu.Unlock)
            mu.Lock()
            wg.Go(lambda: None)
            wg.Wait()
            table.Store(1, 2)
            a, b = tcp_pair()
            a.Close(), b.Close()
        for x in c, n, p, mu, wg, table, sched, pollcache:
            if not runtime.compiled and not hasattr(x, "key"):
                continue  # with the GIL it has no lock in this form
            with Holding(x):
                say("status", forked(inchild, lambda f, *args: f(*args)))
    """
    trace = "import sys; sys.settrace(lambda *args: None)\n" if form == "1" else ""
    out = runs(program, prelude=trace + FORKED, env={"GONET_PURE": form} if form == "1" else {})
    assert out == "status 0\n" * (8 if form == "1" or runtime.compiled or LOCKS else 3)


def test_a_pre_forking_server():
    """The parent listens, its children accept; each is a gonet program of its own."""
    program = """
        ln, addr = listener()
        pids = []
        for i in range(3):
            pid = os.fork()
            if pid == 0:
                def serve(nfd):
                    conn = FD(nfd)
                    conn.Init("tcp", True)
                    buf = bytearray(100)
                    while n := conn.Read(buf):
                        conn.Write(buf[:n])
                    conn.Close()
                signal.alarm(10)
                while True:
                    go(serve, ln.Accept()[0])
            pids.append(pid)
        signal.alarm(10)
        def client():
            with socket.create_connection(addr) as c:
                for i in range(10):
                    c.sendall(b"hello")
                    assert c.recv(100) == b"hello"
            return "ok"
        for i in range(10):
            say(runtime.Syscall(client))
        for pid in pids:
            os.kill(pid, signal.SIGTERM)
            os.waitpid(pid, 0)
    """
    assert runs(program) == "ok\n" * 10


@pytest.mark.parametrize("where", ["in the poller", "beside one who polls"])
@pytest.mark.parametrize("end, status", [("return", 0), ("raise ValueError('in the child')", 1)])
def test_a_handler_forks_just_before_the_sleep(end, status, where):
    """Where the scheduler runs somebody's Python: here it asks a queue of ours whether it is empty."""
    beside = where == "beside one who polls"
    program = f"""
        from collections import deque
        from contextlib import nullcontext
        class Queue(deque):
            asked = False
            def __bool__(self):
                if sched.m0.blocked == {2 if beside else 1} and not Queue.asked:
                    Queue.asked = True
                    os.kill(os.getpid(), signal.SIGUSR1)
                return len(self) > 0
        s, pids = Sema(), []
        def handler(signum, frame):
            pid = os.fork()
            if pid == 0:
                signal.alarm(20)
                {end}
                return
            pids.append(pid)
            semrelease(s)
        go(gtime.Sleep, 0.001)
        until(lambda: sched.poller is not None and runtime.NumGoroutine() == 1)
        signal.signal(signal.SIGUSR1, handler)
        sched.finq = Queue(sched.finq)
        with {"Holding(sched.poller)" if beside else "nullcontext()"}:
            semacquire(s)
        say(os.waitstatus_to_exitcode(os.waitpid(pids[0], 0)[1]))
    """
    r = child(program)
    assert (r.returncode, r.stdout) == (0, f"{status}\n"), r.stderr
    assert ("ValueError: in the child" in r.stderr) == (status == 1)


@pytest.mark.parametrize("procs", [1, 4])
@pytest.mark.parametrize(
    "end, status",
    [
        ("return", 0),
        ("gtime.Sleep(0.01)", 0),
        ("go(gtime.Sleep, 0.001); sys.exit(3)", 3),
        ("gtime.Sleep(0.01); sys.exit(4)", 4),
        ("raise ValueError('in the child')", 1),
    ],
)
def test_a_child_that_a_handler_forks_ends_with_the_handler(end, status, procs):
    """Nobody else is there: the handler has interrupted the scheduler's sleep, and who waits there is the parent's."""
    program = f"""
        runtime.GOMAXPROCS({procs})
        for _ in range(10):
            go(gtime.Sleep, 0.001)
        s, pids = Sema(), []
        def handler(signum, frame):
            pid = os.fork()
            if pid == 0:
                signal.alarm(20)  # ends one that hangs
                {end}
                return
            pids.append(pid)
            semrelease(s)
        def interrupt():
            until(lambda: runtime.NumGoroutine() == 1 and sched.m0.blocked)
            os.kill(os.getpid(), signal.SIGUSR1)
        signal.signal(signal.SIGUSR1, handler)
        t = threading.Thread(target=interrupt)
        t.start()
        semacquire(s)
        say(os.waitstatus_to_exitcode(os.waitpid(pids[0], 0)[1]))
    """
    r = child(program)
    assert (r.returncode, r.stdout) == (0, f"{status}\n"), r.stderr
    assert ("ValueError: in the child" in r.stderr) == ("ValueError" in end)
