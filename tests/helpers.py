"""What the tests share: goroutines that are joined with a limit, child programs, and connected descriptors.

Waiting is for a state, never for a time: `until` looks again and again and fails at a generous limit, with the
goroutines that there are.
"""

from __future__ import annotations

import os
import pathlib
import select
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from time import monotonic
from typing import Any

import pytest

import runtime
from gonet.poll import FD
from runtime.gmp import G, sched
from runtime.sysmon import forcePreemptNS
from runtime.timesleep import timeSleep

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIMIT = 40.0  # seconds; only waited out by what hangs
CHILD_LIMIT = 60.0  # for a child program, its start included

timeSleep(0.001)  # the descriptors that the runtime keeps for good are opened now, before anybody counts


def dump() -> str:
    """One line for each goroutine and each foreign thread that has called in."""
    lines = [repr(g) for g in sorted(sched.allgs, key=lambda g: g.goid)]
    lines += [f"{m.curg} of thread {m.ident}" for m in list(sched.extram.values())]
    return "\n".join(lines)


def until(condition: Callable[[], Any], what: str = "") -> Any:
    """Let others run until condition() is true, and return what it gave."""
    give_up = monotonic() + LIMIT
    while True:
        value = condition()
        if value:
            return value
        if monotonic() > give_up:
            pytest.fail(f"still not after {LIMIT} s: {what or getattr(condition, '__name__', condition)}\n{dump()}")
        if sched.seeded:
            runtime.Gosched()  # a course that is to be replayed must not depend on the clock
        else:
            timeSleep(0.0005)


def until_state(g: G, state: str) -> G:
    """Let others run until g is in that state, worded as in a goroutine dump; g."""
    until(lambda: g.state() == state, f"goroutine {g.goid} [{state}]")
    return g


def until_dead(*gs: G) -> None:
    """Let others run until all of gs have ended."""
    for g in gs:
        until_state(g, "dead")


class Task:
    """fn(*args) in a goroutine of its own, g; its result or its exception is kept for join."""

    def __init__(self, fn: Callable[..., Any], *args: Any) -> None:
        self.value: Any = None
        self.exc: BaseException | None = None
        self.done = False
        self.g = runtime.go(self._run, fn, args)

    def _run(self, fn: Callable[..., Any], args: tuple[Any, ...]) -> None:
        try:
            self.value = fn(*args)
        except BaseException as exc:
            self.exc = exc
        finally:
            self.done = True

    def join(self) -> Any:
        """What fn returned; raises what it raised."""
        until(lambda: self.done, f"the end of {self.g!r}")
        if self.exc is not None:
            raise self.exc
        return self.value

    def error(self) -> BaseException:
        """What fn raised."""
        until(lambda: self.done, f"the end of {self.g!r}")
        if self.exc is None:
            pytest.fail(f"returned {self.value!r} and raised nothing")
        return self.exc


def spawn(fn: Callable[..., Any], *args: Any) -> Task:
    """Start fn(*args) as a Task."""
    return Task(fn, *args)


def parked(fn: Callable[..., Any], *args: Any, state: str = "IO wait") -> Task:
    """Start fn(*args) as a Task and return it once it is parked, in that state."""
    t = Task(fn, *args)
    until_state(t.g, state)
    return t


class Thread(threading.Thread):
    """A foreign thread running fn(*args); join gives its result or raises what it raised."""

    def __init__(self, fn: Callable[..., Any], *args: Any) -> None:
        super().__init__(daemon=True)
        self.fn = fn
        self.args = args
        self.value: Any = None
        self.exc: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self.value = self.fn(*self.args)
        except BaseException as exc:
            self.exc = exc

    def state(self) -> str:
        """The state of the thread's own goroutine; "" if it has not called in."""
        m = sched.extram.get(self.ident)
        gp = None if m is None else m.curg  # None if it is about to end
        return "" if gp is None else gp.state()

    def join(self, timeout: float | None = LIMIT) -> Any:  # type: ignore[override]
        until(lambda: not self.is_alive(), f"the end of {self.name}")
        super().join(timeout)
        if self.exc is not None:
            raise self.exc
        return self.value


def foreign(fn: Callable[..., Any], *args: Any) -> Task | Thread:
    """A foreign thread running fn(*args); a goroutine under a seed, whose course a thread would disturb."""
    return Task(fn, *args) if sched.seeded else Thread(fn, *args)


def rounds(n: int) -> int:
    """n; a tenth of it under a seed, for a test is then run again under each."""
    return -(-n // 10) if sched.seeded else n


def delays(first: float) -> Iterator[float]:
    """first, and then each ten times the last: for what has to be done within that time. Go on until it was."""
    for n in range(4):
        yield first * 10**n
    pytest.fail(f"not even within {first * 1000} s")


def in_one_slice(f: Callable[[], Any], before: Callable[[], object] = runtime.Gosched) -> Any:
    """What f() gave in a try, after before(), in which the monitor cannot have ended the slice: one of under 10 ms."""
    for _ in range(100):
        before()
        start = monotonic()
        value = f()
        if monotonic() - start < forcePreemptNS / 1e9:
            return value
    pytest.fail(f"never within {forcePreemptNS / 1e6} ms")


# ---- child programs

PRELUDE = """
import contextvars, gc, os, signal, socket, sys, threading, time
import runtime
from gonet import go
from gonet import time as gtime
from gonet.poll import FD, ErrNetClosing
from runtime.gmp import sched
from runtime.sema import Sema, semacquire, semrelease

class Holding:  # a thread that has taken the runtime lock l, until the end of the with block
    def __init__(self, l):
        self.l, self.held, self.go_on = l, threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self.hold)
    def hold(self):
        from runtime.asm import lock, unlock
        lock(self.l)
        self.held.set()
        self.go_on.wait()
        unlock(self.l)
    def __enter__(self):
        self.thread.start()
        self.held.wait()
    def __exit__(self, *exc):
        self.go_on.set()
        self.thread.join()

class NoDescriptors:  # until the end of the with block none can be opened
    def __enter__(self):
        import resource
        self.was = resource.getrlimit(resource.RLIMIT_NOFILE)
        lowest = os.dup(0)
        os.close(lowest)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, self.was[1]))
    def __exit__(self, *exc):
        import resource
        resource.setrlimit(resource.RLIMIT_NOFILE, self.was)

def say(*args):
    sys.stdout.write(" ".join(map(str, args)) + "\\n")  # whole, whoever else prints
    sys.stdout.flush()

def until(condition):
    give_up = time.monotonic() + 40
    while not condition():
        assert time.monotonic() < give_up, "still not"
        gtime.Sleep(0.001)

def until_state(g, state):
    until(lambda: g.state() == state)
    return g

def spin(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass

def fds(a, b, net="tcp"):
    out = []
    for s in (a, b):
        s.setblocking(False)
        fd = FD(s.detach())
        fd.Init(net, True)
        out.append(fd)
    return out

def tcp_pair():
    with socket.create_server(("127.0.0.1", 0)) as ls:
        a = socket.create_connection(ls.getsockname())
        b, _ = ls.accept()
    return fds(a, b)

def listener():
    ls = socket.create_server(("127.0.0.1", 0))
    ls.setblocking(False)
    addr = ls.getsockname()
    fd = FD(ls.detach())
    fd.Init("tcp", True)
    return fd, addr
"""


def child(
    program: str,
    *args: str,
    env: dict[str, str] | None = None,
    prelude: str = PRELUDE,
    limit: float = CHILD_LIMIT,
    options: tuple[str, ...] = (),
) -> subprocess.CompletedProcess[str]:
    """Run a Python program with the prelude, in the form that is tested here; what it said, and its status.

    One that hangs is ended at the limit, when faulthandler shows where its threads stand, and its status is 1.
    """
    watchdog = f"import faulthandler; faulthandler.dump_traceback_later({limit}, exit=True)\n"
    source = watchdog + prelude + textwrap.dedent(program)
    # The tests want stderr empty. From 3.12 on os.fork warns of the runtime's own threads. On a free-threaded build
    # CPython does when our modules turn the GIL on, and gonet where it stays off.
    ignored = "ignore:This process:DeprecationWarning,ignore:gonet runs without the GIL:RuntimeWarning"
    ignored += ",ignore:The global interpreter lock:RuntimeWarning"
    quiet = {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": ignored}
    full = {**os.environ, **quiet, **(env or {})}
    command = [sys.executable, *options, "-c", source, *args]
    pipe = subprocess.PIPE
    p = subprocess.Popen(command, env=full, stdout=pipe, stderr=pipe, text=True, cwd=ROOT, start_new_session=True)
    try:
        out, err = p.communicate(timeout=limit + 5)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(p.pid, signal.SIGKILL)
        out, err = p.communicate()
        pytest.fail(f"the program, or one that it forked, still ran after {limit + 5} s\nstdout: {out}\nstderr: {err}")
    finally:
        with suppress(ProcessLookupError):
            os.killpg(p.pid, signal.SIGKILL)  # what it forked and left behind
    return subprocess.CompletedProcess(command, p.returncode, out, err)


def runs(program: str, *args: str, status: int = 0, quiet: bool = True, **kwargs: Any) -> str:
    """Run a child program that must end with this status; what it printed. With quiet, stderr must be empty."""
    r = child(program, *args, **kwargs)
    said = f"stdout:\n{r.stdout}\nstderr:\n{r.stderr}"
    assert r.returncode == status, f"got status {r.returncode}, want {status}\n{said}"
    if quiet:
        assert r.stderr == "", said
    return r.stdout


# ---- descriptors


def sockets(kind: str = "tcp") -> tuple[socket.socket, socket.socket]:
    """Two connected sockets: "tcp", "unix" (streams) or "unixgram"."""
    if kind != "tcp":
        return socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM if kind == "unix" else socket.SOCK_DGRAM)
    with socket.create_server(("127.0.0.1", 0)) as ls:
        a = socket.create_connection(ls.getsockname())
        b, _ = ls.accept()
    for s in a, b:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return a, b


def fd_of(s: socket.socket, kind: str = "tcp") -> FD:
    """An FD that owns the socket's descriptor, registered with the poller."""
    s.setblocking(False)
    stream = s.type == socket.SOCK_STREAM
    fd = FD(s.detach(), stream, stream)
    fd.Init(kind, True)
    return fd


def shut(*things: Any) -> None:
    """Close FDs and sockets, closed or not."""
    for x in things:
        if isinstance(x, FD):
            if x.Sysfd >= 0:
                try:
                    x.Close()
                except OSError:
                    pass
        else:
            x.close()


@contextmanager
def connected(kind: str = "tcp") -> Iterator[tuple[FD, FD]]:
    """Two connected FDs, closed at the end."""
    s, t = sockets(kind)
    a, b = fd_of(s, kind), fd_of(t, kind)
    try:
        yield a, b
    finally:
        shut(a, b)


@contextmanager
def half(kind: str = "tcp") -> Iterator[tuple[FD, socket.socket]]:
    """An FD and the plain, blocking socket at its other end."""
    s, t = sockets(kind)
    a = fd_of(s, kind)
    try:
        yield a, t
    finally:
        shut(a, t)


@contextmanager
def listening() -> Iterator[tuple[FD, Any]]:
    """A listening FD and its address."""
    ls = socket.create_server(("127.0.0.1", 0))
    addr = ls.getsockname()
    fd = fd_of(ls)
    try:
        yield fd, addr
    finally:
        shut(fd)


def arrived(fd: FD, n: int = 1) -> None:
    """Wait, blocking the thread, until the kernel has n bytes for fd (or its end): no goroutine runs meanwhile."""
    give_up = monotonic() + LIMIT
    with socket.socket(fileno=os.dup(fd.Sysfd)) as s:
        while True:
            select.select([s], [], [], 1)
            got = s.recv(n, socket.MSG_PEEK | socket.MSG_DONTWAIT)
            if len(got) >= n or got == b"":
                return
            assert monotonic() < give_up, f"got {len(got)} bytes, want {n}"


def ended(fd: FD) -> None:
    """Wait, blocking the thread, until the kernel knows that the peer will send no more."""
    p = select.poll()
    p.register(fd.Sysfd, select.POLLRDHUP)
    assert p.poll(LIMIT * 1000)


def readall(fd: FD, n: int, size: int = 65536) -> bytes:
    """n bytes from fd, or what comes before its end."""
    out = bytearray()
    buf = bytearray(size)
    while len(out) < n:
        got = fd.Read(buf)
        if got == 0:
            break
        out += buf[:got]
    return bytes(out)
