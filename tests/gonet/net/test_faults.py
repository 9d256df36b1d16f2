"""Bad input and faults that a server must survive, all through net and on real sockets.

What befalls one descriptor stands in tests/gonet/poll, what befalls a call in the files beside this one. Here much of
it comes at once, and the answers must be right to the byte. Where each fault is tested:

  another module called runtime               tests/gonet/test_import.py
  unknown network, bad address, in use,       test_dial.py (Dial_refuses, nobody_listens), test_listen.py
  refused, unresolvable                       (Listen_refuses, an_address_in_use), test_lookup.py (failures)
  what is no text, no buffer, no number       test_dial.py (what_must_be_text), test_tcpconn.py, test_deadlines.py
  a peer that resets, half-closes             test_tcpconn.py (a_reset_connection, half_closed), here
  a peer that never reads                     poll/test_fd_unix.py (a_write_parks_when, a_parked_write_is_told),
                                              test_deadlines.py (Write_ends_at_the_deadline), here
  data and FIN, data and RST, urgent data,    poll/test_fd_unix.py, poll/test_readahead.py
  the buffer's size, one more, one less
  a handler that raises                       here
  EMFILE                                      test_listen.py (Accept_waits_for), runtime/test_netpoll_epoll.py, here
  EINTR                                       runtime/test_rawsys.py, here
  a closed listener with somebody in Accept   test_listen.py (Close_wakes_Accept)
  a number reused while its waiter is woken   poll/test_fd_unix.py (numbers_that_are_used_again), here
  four readers and four writers               poll/test_fd_unix.py (four_readers_and_four_writers, writes_do_not_mix)
  a plain thread that closes, writes, starts  poll/test_fd_unix.py (threads_read_and_write, close_from_a_thread), here
  one that is always ready and a ticker       runtime/test_sysmon.py (a_chatty_connection_and_a_ticker)
  10,000 connections dropped at once          test_many.py
  64 MB to a slow reader                      poll/test_fd_unix.py (64_mb_to_a_slow_reader)
"""

from __future__ import annotations

import pytest

from tests.helpers import PRELUDE, runs

forms = pytest.mark.parametrize("procs", [1, 3])

# An echo server, and what its tests share. `bad` is what must not be.
SERVER = """
import os, random, struct
from gonet import net
from runtime.proc import getg, inject

RESET = struct.pack("ii", 1, 0)
bad, reported = [], []
runtime.SetPanicHook(lambda g, exc: reported.append(exc))
runtime.GOMAXPROCS(int(sys.argv[1]))
until(lambda: sched.poller is not None and sched.poller.signals)  # it has its own descriptors
files = len(os.listdir("/proc/self/fd"))
ln = net.Listen("tcp", "127.0.0.1:0")
addr = ("127.0.0.1", ln.Addr().Port)

def handle(c):
    with c:
        buf = bytearray(random.choice((64, 1000, 16384)))
        try:
            while n := c.Read(buf):
                if buf[:5] == b"raise":
                    raise ValueError("as asked")
                c.Write(memoryview(buf)[:n])
        except (ConnectionResetError, BrokenPipeError):
            pass

def serve():
    for c in ln:
        go(handle, c)

def quiet():
    ln.Close()
    until(lambda: runtime.NumGoroutine() == 1)
    until(lambda: len(os.listdir("/proc/self/fd")) <= files)
    runtime.GOMAXPROCS(1)

def join(threads):
    give_up = time.monotonic() + 60
    while any(t.is_alive() for t in threads):
        assert time.monotonic() < give_up, "clients hang"
        gtime.Sleep(0.005)

def client(f, *args):
    def run():
        try:
            f(*args)
        except BaseException as exc:
            bad.append(repr(exc))
    t = threading.Thread(target=run, daemon=True)
    t.start()
    return t

def received(s):
    got = bytearray()
    while b := s.recv(65536):
        got += b
    return got

go(serve)
"""


def served(program: str, procs: int, want: str) -> None:
    assert runs(program, str(procs), prelude=PRELUDE + SERVER, limit=60) == want


@forms
def test_hostile_clients_in_a_storm_of_signals(procs: int) -> None:
    """Resets, ends and urgent bytes at every moment, and some who never read: who behaves gets back what it sent."""
    program = """
        def hostile(seed):
            r = random.Random(seed)
            for i in range(25):
                with socket.create_connection(addr) as s:
                    s.settimeout(30)
                    kind = r.randrange(6)
                    data = os.urandom(r.choice((1, 63, 64, 65, 999, 1000, 1001, 16384, 16385, 50000)))
                    if kind == 0:
                        s.send(data)
                        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                    elif kind == 1:
                        s.setblocking(False)
                        try:
                            while True:
                                s.send(bytes(65536))
                        except BlockingIOError:
                            pass
                    elif kind > 2:
                        if kind == 3:
                            s.send(b"a!", socket.MSG_OOB)
                        s.sendall(data)
                        s.shutdown(socket.SHUT_WR)
                        if received(s) != (b"a" if kind == 3 else b"") + data:
                            bad.append((kind, len(data)))
        signals = []
        signal.signal(signal.SIGALRM, lambda *args: signals.append(1))
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
        join([client(hostile, i) for i in range(8)])
        signal.setitimer(signal.ITIMER_REAL, 0)
        quiet()
        say(bad, reported, len(signals) > 0)
    """
    served(program, procs, "[] [] True\n")


@forms
def test_a_handler_that_raises_costs_the_others_nothing(procs: int) -> None:
    program = """
        def one(i):
            for _ in range(10):
                with socket.create_connection(addr) as s:
                    s.settimeout(30)
                    s.sendall(b"raise" if i % 2 else b"hello")
                    s.shutdown(socket.SHUT_WR)
                    try:
                        got = received(s)
                    except ConnectionResetError:
                        got = b""
                    if got != (b"" if i % 2 else b"hello"):
                        bad.append((i, got))
        join([client(one, i) for i in range(8)])
        quiet()
        say(bad, len(reported), {type(e) for e in reported} == {ValueError})
    """
    served(program, procs, "[] 40 True\n")


@forms
def test_a_stream_is_whole_under_deadlines_exceptions_and_slices(procs: int) -> None:
    """Readers whose deadlines fire, who are interrupted and who must give way, at any moment; forks in between."""
    program = """
        class Stop(Exception):
            pass
        readers = set()
        ends = []
        def pattern(pos, n):
            i = pos % 251
            return (bytes(range(251)) * (n // 251 + 2))[i:i + n]
        def reader(c, seed):
            r = random.Random(seed)
            pos = 0
            big = bytearray(4096)
            readers.add(getg())
            while True:
                try:
                    k = r.choice((7, 100, 1000, 4096))
                    buf = r.choice((bytearray(k), memoryview(big)[:k]))
                    c.SetReadDeadline(r.choice((0, -1, time.monotonic() + 0.0001, time.monotonic() + 0.001)))
                    if r.random() < 0.1:
                        sched.m0.p.preempt = sched.preempt = True
                    n = c.Read(buf)
                except (TimeoutError, Stop):
                    continue
                if n == 0:
                    break
                if bytes(buf[:n]) != pattern(pos, n):
                    bad.append((seed, pos, n))
                    break
                pos += n
            readers.discard(getg())
            c.Close()
            ends.append((seed, pos))
        def writer(s, total):
            pos = 0
            r = random.Random(total)
            while pos < total:
                n = min(r.choice((1, 7, 8, 100, 1000, 9000)), total - pos)
                s.sendall(pattern(pos, n))
                pos += n
                if r.random() < 0.5:
                    time.sleep(0.0005)
            s.close()
        ln2 = net.Listen("tcp", "127.0.0.1:0")
        writers = []
        for i in range(8):
            s = socket.create_connection(("127.0.0.1", ln2.Addr().Port))
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            c = ln2.Accept()
            if i % 4 == 3:
                client(reader, c, i)
            else:
                go(reader, c, i)
            writers.append(client(writer, s, 200_000 + i))
        ln2.Close()
        give_up = time.monotonic() + 50
        r = random.Random(1)
        rounds = 0
        while len(ends) + len(bad) < 8:
            assert time.monotonic() < give_up, (ends, bad)
            gtime.Sleep(0.001)
            rounds += 1
            for g in list(readers):
                if r.random() < 0.1 and g.m is not None and not g.m.isextra:
                    inject(g, Stop())
            if rounds % 50 == 1:
                pid = os.fork()
                if pid == 0:
                    os._exit(0)
                os.waitpid(pid, 0)
        join(writers)
        quiet()
        say(bad, reported, sorted(ends) == [(i, 200_000 + i) for i in range(8)])
    """
    served(program, procs, "[] [] True\n")


@forms
def test_numbers_that_are_used_again_under_threads_and_deadlines(procs: int) -> None:
    """Whoever closes, and whatever is on its way then: a reader sees its own peer's bytes, and is told of the end."""
    program = """
        lock = threading.Lock()
        def reader(c, tag, end):
            buf = bytearray(64)
            while True:
                try:
                    try:
                        n = c.Read(buf)
                    except TimeoutError:
                        c.SetReadDeadline(0)  # which may find it closed as well
                        continue
                except net.ErrClosed:
                    break
                if n == 0 or bytes(buf[:n]).strip(tag):
                    bad.append((tag, bytes(buf[:n])))
                    break
            end.append(1)
        def cycles(seed):
            r = random.Random(seed)
            for _ in range(40):
                tag = bytes([65 + r.randrange(26)])
                with lock, socket.create_connection(addr2) as s:
                    c = ln2.Accept()
                    end = []
                    go(reader, c, tag, end)
                    for _ in range(r.randrange(4)):
                        s.send(tag)
                        if r.random() < 0.5:
                            runtime.Gosched()
                        if r.random() < 0.3:
                            c.SetReadDeadline(r.choice((-1, time.monotonic() + 0.0002, time.monotonic() + 0.001)))
                    s.send(tag * r.randrange(1, 30))
                    if r.random() < 0.5:
                        client(c.Close)
                    else:
                        c.Close()
                    other = socket.socket()  # takes the number, if it is free
                    until(lambda: end)
                    other.close()
        ln2 = net.Listen("tcp", "127.0.0.1:0")
        addr2 = ("127.0.0.1", ln2.Addr().Port)
        join([client(cycles, i) for i in range(3)])
        ln2.Close()
        quiet()
        say(bad, reported)
    """
    served(program, procs, "[] []\n")


def test_without_descriptors_every_call_says_so_and_what_is_open_works() -> None:
    program = """
        a = net.Dial("tcp", str(ln.Addr()))
        a.Write(b"x"); a.Read(bytearray(5))
        net.LookupPort("tcp", "http")
        with NoDescriptors():
            for call in (lambda: net.Dial("tcp", str(ln.Addr())), lambda: net.Listen("tcp", "127.0.0.1:0"), a.File):
                try:
                    call()
                except OSError as e:
                    say(type(e).__name__, e.errno, str(e).partition(": ")[2])
            say(a.Write(b"hello"), a.Read(bytearray(9)))
            done = []
            go(done.append, runtime.Syscall(len, "abc"))
            t = client(gtime.Sleep, 0.001)
            join([t])
            until(lambda: done)
            pid = os.fork()
            if pid == 0:
                gtime.Sleep(0.001)
                os._exit(7)
            say(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        with net.Dial("tcp", str(ln.Addr())) as b:
            say(b.Write(b"hi"), b.Read(bytearray(9)))
        a.Close()
        quiet()
        say(bad, reported)
    """
    want = (
        "OpError 24 socket: too many open files\n"
        "OpError 24 socket: too many open files\n"
        "OpError 24 fcntl: too many open files\n"
        "5 5\n7\n2 2\n[] []\n"
    )
    served(program, 1, want)
