"""A server among faults: system calls that are interrupted or report lost connections, handlers that raise, threads.

The first are made by a few lines of C that stand before the C library (LD_PRELOAD): every third call fails.
"""

from __future__ import annotations

import pathlib
import shutil
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

import runtime
from gonet import go, net, time
from tests.helpers import Thread, runs, until

pytestmark = pytest.mark.usefixtures("nothing_left_over")

SHIM = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>

static int count, failed[4];

static int fails(int which) {
    if (__atomic_add_fetch(&count, 1, __ATOMIC_RELAXED) % 3) return 0;
    __atomic_add_fetch(&failed[which], 1, __ATOMIC_RELAXED);
    errno = EINTR;
    return 1;
}
int failures(int which) { return failed[which]; }

int accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags) {
    static int (*real)(int, struct sockaddr *, socklen_t *, int);
    if (!real) real = dlsym(RTLD_NEXT, "accept4");
    if (fails(0)) {
        errno = failed[0] % 2 ? ECONNABORTED : EINTR;
        return -1;
    }
    return real(fd, addr, len, flags);
}
long syscall(long n, ...) {  /* by which the compiled form calls recvfrom(2) and sendto(2) */
    static long (*real)(long, ...);
    long a[6];
    va_list args;
    va_start(args, n);
    for (int i = 0; i < 6; i++) a[i] = va_arg(args, long);
    va_end(args);
    if (!real) real = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
    if ((n == SYS_recvfrom && fails(1)) || (n == SYS_sendto && fails(2))) return -1;
    return real(n, a[0], a[1], a[2], a[3], a[4], a[5]);
}
int epoll_wait(int fd, struct epoll_event *events, int n, int timeout) {
    static int (*real)(int, struct epoll_event *, int, int);
    if (!real) real = dlsym(RTLD_NEXT, "epoll_wait");
    return fails(3) ? -1 : real(fd, events, n, timeout);
}
"""

ECHO = """
    import ctypes
    from gonet import net

    def handle(conn):
        with conn:
            buf = bytearray(4096)
            while n := conn.Read(buf):
                conn.Write(memoryview(buf)[:n])

    def serve():
        for conn in ln:
            go(handle, conn)

    def client(k):
        with net.Dial("tcp", str(ln.Addr())) as conn:
            conn.SetDeadline(gtime.Now() + 30)  # only met by what hangs: all are at it together
            for i in range(50):
                message = b"%d %d" % (k, i) * (1 + i * i)
                conn.Write(message)
                got = conn.makefile("rb").read(len(message))
                assert got == message, (len(got), len(message))
        done.append(k)

    ln, done = net.Listen("tcp", "127.0.0.1:0"), []
    server = go(serve)
    for k in range(30):
        go(client, k)
    until(lambda: len(done) == 30)
    ln.Close()
    until(lambda: runtime.NumGoroutine() == 1)
    shim = ctypes.CDLL(None)
    say([shim.failures(i) > 0 for i in range(4)])
"""


# A signal pending for the thread at every second recv at an urgent mark: the kernel says EAGAIN then.
MARK = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

static int count;
int marks(void) { return count; }

static int atmark(int fd) {
    if (sockatmark(fd) != 1 || ++count % 2 == 0) return 0;
    errno = EAGAIN;
    return 1;
}
long syscall(long n, ...) {
    static long (*real)(long, ...);
    long a[6];
    va_list args;
    va_start(args, n);
    for (int i = 0; i < 6; i++) a[i] = va_arg(args, long);
    va_end(args);
    if (!real) real = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
    if (n == SYS_recvfrom && atmark(a[0])) return -1;
    return real(n, a[0], a[1], a[2], a[3], a[4], a[5]);
}
ssize_t readv(int fd, const struct iovec *iov, int n) {
    static ssize_t (*real)(int, const struct iovec *, int);
    if (!real) real = dlsym(RTLD_NEXT, "readv");
    return atmark(fd) ? -1 : real(fd, iov, n);
}
"""

URGENT = """
    import ctypes
    from gonet import net

    ln = net.Listen("tcp", "127.0.0.1:0")
    with socket.create_connection(("127.0.0.1", ln.Addr().Port)) as s, ln.Accept() as c:
        c.SetReadDeadline(gtime.Now() + 10)
        s.send(b"abcd")
        s.send(b"U", socket.MSG_OOB)
        s.send(b"efgh")
        s.shutdown(socket.SHUT_WR)
        until(lambda: c.fd.pd.hup)
        gtime.Sleep(0.01)
        buf, got = bytearray(100), b""
        if sys.argv[1] == "woken":  # by the event, which then is no more
            c.fd.pd.rg = None
        while n := c.Read(buf):
            got += buf[:n]
    say(got, ctypes.CDLL(None).marks())
"""


def preloaded(shim_source: str, tmp_path: pathlib.Path) -> dict[str, str]:
    """The environment of a program in which these C functions stand before the C library's."""
    cc = shutil.which("cc") or shutil.which("gcc")
    if cc is None:
        pytest.skip("no C compiler")
    source, shim = tmp_path / "shim.c", tmp_path / "shim.so"
    source.write_text(shim_source)
    subprocess.run([cc, "-shared", "-fPIC", "-o", str(shim), str(source), "-ldl"], check=True, timeout=60)
    return {"LD_PRELOAD": str(shim)}


@pytest.mark.parametrize("event", ["woken", "ahead"])
def test_a_signal_at_an_urgent_mark_loses_nothing_behind_it(tmp_path: pathlib.Path, event: str) -> None:
    """Linux says EAGAIN for it, and there will be no edge for what has come before."""
    assert runs(URGENT, event, env=preloaded(MARK, tmp_path)) == "b'abcdefgh' 2\n"


def test_interrupted_calls_and_lost_connections_disturb_nobody(tmp_path: pathlib.Path) -> None:
    """EINTR from recv, send, epoll_wait and accept4, and ECONNABORTED from accept4, in between."""
    said = runs(ECHO, env=preloaded(SHIM, tmp_path))
    accept4, recv, send, epoll_wait = (word == "True" for word in said.strip("[]\n").split(", "))
    assert accept4 and epoll_wait
    if runtime.compiled:  # the Python form reads and writes with readv(2) and write(2), whose EINTR Python handles
        assert recv and send


def test_a_handler_that_raises_harms_its_own_connection_alone(spawn: Callable[..., Any]) -> None:
    told = []

    def handle(conn: net.Conn) -> None:
        with conn:
            buf = bytearray(100)
            while n := conn.Read(buf):
                if buf[:n] == b"fail":
                    raise ValueError("a bad request")
                conn.Write(buf[:n])

    def serve() -> None:
        for conn in ln:
            go(handle, conn)

    ln = net.Listen("tcp", "127.0.0.1:0")
    serving = spawn(serve)
    old = runtime.SetPanicHook(lambda g, exc: told.append(str(exc)))
    try:
        buf = bytearray(100)
        with net.Dial("tcp", str(ln.Addr())) as other:
            for n in range(1, 6):
                with net.Dial("tcp", str(ln.Addr())) as conn:
                    conn.SetDeadline(time.Now() + 10)
                    conn.Write(b"fail")
                    assert conn.Read(buf) == 0  # its handler is gone, and has closed it
                until(lambda n=n: len(told) == n)
                other.Write(b"still there")
                assert other.Read(buf) == 11
    finally:
        runtime.SetPanicHook(old)
        ln.Close()
        serving.join()
    assert told == ["a bad request"] * 5


def test_a_thread_writes_closes_and_starts_goroutines(spawn: Callable[..., Any]) -> None:
    ln = net.Listen("tcp", "127.0.0.1:0")
    accepting = spawn(ln.Accept)
    with net.Dial("tcp", str(ln.Addr())) as conn:
        served = accepting.join()
        buf = bytearray(100)
        reading = spawn(conn.Read, buf).parked()
        Thread(served.Write, b"from a thread").join()
        assert reading.join() == 13 and buf[:13] == b"from a thread"
        lines = []
        Thread(go, lambda: lines.append(conn.Write(b"a goroutine that a thread has started"))).join()
        until(lambda: lines)
        assert served.Read(buf) == lines[0] == 37
        reading = spawn(served.Read, buf).parked()
        Thread(served.Close).join()
        assert isinstance(reading.error(), net.ErrClosed)
        assert conn.Read(buf) == 0
    accepting = spawn(ln.Accept).parked()
    Thread(ln.Close).join()
    assert isinstance(accepting.error(), net.ErrClosed)
