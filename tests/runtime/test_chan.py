"""Channels: order, blocking, closing, hand-over, exceptions in the wait, threads, and what is kept alive."""

from __future__ import annotations

import ast
import copy
import gc
import pickle
import random
import signal
import sys
import textwrap
import threading
import weakref

import pytest

import runtime
from runtime.chan import Hchan, closechan, dequeueSudoG, selectnbrecv, selectnbsend, timerchandrain
from runtime.gmp import chanBlocks, chanClosed, sched
from runtime.proc import inject
from tests.helpers import PRELUDE, ROOT, Thread, parked, runs, spawn, until, until_dead, until_state

pytestmark = pytest.mark.usefixtures("nothing_left_over")

RECEIVING, SENDING = "chan receive", "chan send"


class Stop(Exception):
    pass


class Thing:
    """Can be referred to weakly."""


def idle(ch):
    """Nobody waits on ch."""
    return ch.recvfirst is ch.recvlast is ch.sendfirst is ch.sendlast is None


# ---- making one


def test_the_capacity():
    assert (Hchan().cap, Hchan(0).cap, Hchan(7).cap, Hchan(cap=3).cap) == (0, 0, 7, 3)


@pytest.mark.parametrize("cap", [-1, -(10**30), sys.maxsize, 10**30])
def test_an_impossible_capacity(cap):
    with pytest.raises(runtime.Error, match="^makechan: size out of range$"):
        Hchan(cap)


@pytest.mark.parametrize("cap", [1.0, "1", None, [], object()])
def test_a_capacity_that_is_no_integer(cap):
    with pytest.raises(TypeError):
        Hchan(cap)


def test_a_capacity_may_be_anything_that_stands_for_an_integer():
    class Three:
        def __index__(self):
            return 3

    assert Hchan(Three()).cap == 3


def test_channels_are_equal_to_themselves_alone():
    a, b = Hchan(1), Hchan(1)
    assert a == a and a != b and len({a, b, a}) == 2


def test_a_channel_is_true():
    a, b = Hchan(), Hchan(1)
    assert a and b and len(a) == len(b) == 0
    b.send(1)
    b.close()
    assert b


def test_a_channel_can_be_subscripted_with_a_type():
    ch = Hchan[int](2)
    assert type(ch) is Hchan and ch.cap == 2


def test_a_channel_cannot_be_copied():
    for clone in copy.copy, copy.deepcopy, pickle.dumps:
        with pytest.raises(TypeError):
            clone(Hchan(1))


def test_what_is_printed():
    ch = Hchan(3)
    ch.send(1)
    assert "1 of 3" in repr(ch) and "closed" not in repr(ch)
    ch.close()
    assert "closed" in repr(ch)


# ---- buffered, nobody waiting


def test_a_buffer_is_first_in_first_out_and_wraps_around():
    ch = Hchan(3)
    sent = received = 0
    for fill in (1, 3, 2, 3, 3, 1):
        while len(ch) < fill:
            ch.send(sent)
            sent += 1
        while len(ch) > fill // 2:
            assert ch.recv() == received
            received += 1
    assert len(ch) == sent - received


def test_any_value_can_be_sent():
    values = [None, False, Stop(), Hchan, (), Hchan()]
    ch = Hchan(len(values))
    for v in values:
        ch.send(v)
    assert all(ch.recv2() == (v, True) for v in values)


def test_operations_that_do_not_wait():
    """Go TestChan, TestNonblockRecvRace in part."""
    ch = Hchan(1)
    assert selectnbrecv(ch) is chanBlocks
    assert selectnbsend(ch, 1) is True
    assert selectnbsend(ch, 2) is False
    assert selectnbrecv(ch) == 1
    assert not selectnbsend(Hchan(), 1) and selectnbrecv(Hchan()) is chanBlocks
    ch.close()
    assert selectnbrecv(ch) is chanClosed
    with pytest.raises(runtime.Error, match="send on closed channel"):
        selectnbsend(ch, 3)


def test_draining():
    ch = Hchan(3)
    assert timerchandrain(ch) is False
    ch.send(1)
    ch.send(2)
    assert timerchandrain(ch) is True
    assert len(ch) == 0 and selectnbrecv(ch) is chanBlocks


# ---- hand-over


@pytest.mark.schedseeds
@pytest.mark.parametrize("cap", [0, 1, 3])
def test_a_waiting_receiver_is_handed_the_value(cap):
    ch = Hchan(cap)
    t = parked(ch.recv, state=RECEIVING)
    ch.send("x")
    assert len(ch) == 0 and not t.done  # it has the value, though it has not run yet
    assert t.join() == "x"


@pytest.mark.schedseeds
@pytest.mark.parametrize("cap", [0, 1, 3])
def test_a_sender_waits_when_there_is_no_room(cap):
    ch = Hchan(cap)
    for i in range(cap):
        ch.send(i)
    t = parked(ch.send, cap, state=SENDING)
    assert [ch.recv() for _ in range(cap + 1)] == list(range(cap + 1))
    assert t.join() is None


@pytest.mark.schedseeds
def test_a_waiting_senders_value_goes_to_the_end_of_the_buffer():
    ch = Hchan(2)
    ch.send(0)
    ch.send(1)
    t = parked(ch.send, 2, state=SENDING)
    assert ch.recv() == 0
    assert len(ch) == 2
    t.join()
    assert (ch.recv(), ch.recv()) == (1, 2)


@pytest.mark.schedseeds
@pytest.mark.parametrize("cap", [0, 2])
def test_receivers_are_served_in_the_order_of_their_coming(cap):
    """Go test/chan/fifo.go."""
    ch = Hchan(cap)
    ts = [parked(ch.recv, state=RECEIVING) for _ in range(10)]
    for i in range(10):
        ch.send(i)
    assert [t.join() for t in ts] == list(range(10))


@pytest.mark.schedseeds
@pytest.mark.parametrize("cap", [0, 2])
def test_senders_are_served_in_the_order_of_their_coming(cap):
    ch = Hchan(cap)
    for i in range(cap):
        ch.send(i)
    ts = [parked(ch.send, i, state=SENDING) for i in range(cap, 10)]
    assert [ch.recv() for _ in range(10)] == list(range(10))
    for t in ts:
        t.join()
    assert idle(ch)


def test_whoever_is_woken_runs_next():
    """Before those that have been runnable for longer, as in Go."""
    ch = Hchan()
    log = []
    a = parked(lambda: log.append(ch.recv()), state=RECEIVING)
    b = spawn(log.append, "b")
    sched.m0.p.preempt = False  # in one slice
    ch.send("a")
    runtime.Gosched()
    a.join()
    b.join()
    assert log == ["a", "b"]


def test_a_chain_of_goroutines():
    """Go test/chan/goroutines.go: a value is passed on, and one more each time."""
    n = 5000 if runtime.compiled else 1000

    def link(left, right):
        left.send(right.recv() + 1)

    leftmost = right = Hchan()
    for _ in range(n):
        left, right = right, Hchan()
        runtime.go(link, left, right)
    runtime.go(right.send, 0)
    assert leftmost.recv() == n


@pytest.mark.schedseeds
def test_the_prime_sieve():
    """Go test/chan/sieve1.go."""
    stop = []

    def generate(ch):
        i = 2
        while not stop:
            ch.send(i)
            i += 1

    def keep(inp, out, prime):
        while not stop:
            i = inp.recv()
            if i % prime:
                out.send(i)

    gs = []
    ch = Hchan()
    gs.append(runtime.go(generate, ch))
    primes = []
    for _ in range(25):
        p = ch.recv()
        primes.append(p)
        after = Hchan()
        gs.append(runtime.go(keep, ch, after, p))
        ch = after
    assert primes[:6] == [2, 3, 5, 7, 11, 13] and primes[-1] == 97
    stop.append(True)
    for g in gs:
        inject(g, runtime.panic.GoexitException())
    until_dead(*gs)


@pytest.mark.schedseeds
def test_many_consumers():
    """Go TestMultiConsumer: workers between two channels; everything comes through once."""
    n, workers = (5000, 23) if runtime.compiled else (800, 23)
    primes = [2, 3, 7, 11, 13, 17, 19, 23, 27, 31]
    q, r = Hchan(workers * 3), Hchan(workers * 3)

    def work(w):
        for v in q:
            if primes[w % len(primes)] == v:
                runtime.Gosched()
            r.send(v)

    def feed():
        for i in range(n):
            q.send(primes[i % len(primes)])
        q.close()
        for t in ts:
            t.join()
        r.close()

    ts = [spawn(work, w) for w in range(workers)]
    feeder = spawn(feed)
    got = list(r)
    feeder.join()
    assert sorted(got) == sorted(primes[i % len(primes)] for i in range(n))


@pytest.mark.schedseeds
def test_a_receiver_that_comes_last_finds_what_was_sent_before_the_close():
    """Go TestNonblockRecvRace, TestChan in part."""
    for _ in range(100):
        ch = Hchan(1)
        ch.send(1)
        t = spawn(selectnbrecv, ch)
        ch.close()
        ch.recv()
        assert t.join() in (1, chanClosed)


# ---- closing


def test_a_closed_channel_gives_what_is_in_it_and_then_nothing():
    ch = Hchan(3)
    ch.send(1)
    ch.send(None)
    ch.close()
    assert ch.recv2() == (1, True)
    assert ch.recv2() == (None, True)
    for _ in range(3):
        assert ch.recv2() == (None, False)
        assert ch.recv() is None


def test_ok_is_a_bool():
    ch = Hchan(1)
    ch.send(1)
    ch.close()
    assert ch.recv2()[1] is True and ch.recv2()[1] is False


@pytest.mark.parametrize("cap", [0, 1])
def test_errors_of_closed_channels(cap):
    ch = Hchan(cap)
    ch.close()
    for _ in range(2):
        with pytest.raises(runtime.Error, match="^send on closed channel$"):
            ch.send(1)
        with pytest.raises(runtime.Error, match="^close of closed channel$"):
            ch.close()
    assert ch.recv2() == (None, False)
    with pytest.raises(runtime.Error, match="^close of nil channel$"):
        closechan(None)


def test_close_wakes_blocked_receivers_in_order():
    ch = Hchan()
    log = []

    def wait(i):
        got = ch.recv2()
        log.append(i)
        return got

    ts = [parked(wait, i, state=RECEIVING) for i in range(10)]
    ch.close()
    sched.m0.p.preempt = False  # in one slice
    runtime.Gosched()  # before a join, whose timer, if due at once, would put main before the first
    assert [t.join() for t in ts] == [(None, False)] * 10
    assert log == list(range(10)) and idle(ch)


@pytest.mark.schedseeds
@pytest.mark.parametrize("cap", [0, 2])
def test_close_wakes_blocked_senders_which_fail(cap):
    ch = Hchan(cap)
    for i in range(cap):
        ch.send(i)
    ts = [parked(ch.send, 10 + i, state=SENDING) for i in range(4)]
    ch.close()
    for t in ts:
        assert isinstance(t.error(), runtime.Error) and str(t.error()) == "send on closed channel"
    assert list(ch) == list(range(cap)) and idle(ch)


# ---- iterating


def test_iterating_ends_when_closed_and_drained():
    ch = Hchan(5)
    for i in range(3):
        ch.send(i)
    ch.close()
    assert list(ch) == [0, 1, 2]
    assert list(ch) == []


@pytest.mark.schedseeds
def test_iterators_share_the_values():
    ch = Hchan()
    ts = [parked(lambda: list(ch), state=RECEIVING) for _ in range(3)]
    for i in range(30):
        ch.send(i)
        runtime.Gosched()
    ch.close()
    got = [t.join() for t in ts]
    assert sorted(sum(got, [])) == list(range(30))
    assert all(part == sorted(part) for part in got) and all(got)


def test_two_iterators_in_one_loop():
    ch = Hchan(6)
    for i in range(6):
        ch.send(i)
    ch.close()
    assert list(zip(iter(ch), iter(ch))) == [(0, 1), (2, 3), (4, 5)]


# ---- exceptions in the wait


@pytest.mark.schedseeds
@pytest.mark.parametrize("cap", [0, 2])
def test_an_exception_ends_a_receive_and_loses_nothing(cap):
    ch = Hchan(cap)
    first, second = (parked(ch.recv, state=RECEIVING) for _ in range(2))
    inject(first.g, Stop())
    assert isinstance(first.error(), Stop)
    ch.send(1)
    assert second.join() == 1
    assert idle(ch)


@pytest.mark.schedseeds
@pytest.mark.parametrize("cap", [0, 2])
def test_an_exception_ends_a_send_which_has_not_taken_place(cap):
    ch = Hchan(cap)
    for i in range(cap):
        ch.send(i)
    first, second = (parked(ch.send, cap + i, state=SENDING) for i in range(2))
    inject(first.g, Stop())
    assert isinstance(first.error(), Stop)
    assert [ch.recv() for _ in range(cap + 1)] == [*range(cap), cap + 1]
    second.join()
    assert idle(ch) and selectnbrecv(ch) is chanBlocks


@pytest.mark.schedseeds
@pytest.mark.parametrize("which", range(3))
def test_an_exception_takes_it_out_of_the_middle_of_the_queue(which):
    ch = Hchan()
    ts = [parked(ch.recv, state=RECEIVING) for _ in range(3)]
    inject(ts[which].g, Stop())
    assert isinstance(ts[which].error(), Stop)
    del ts[which]
    ch.send("a")
    ch.send("b")
    assert [t.join() for t in ts] == ["a", "b"]
    assert idle(ch)


@pytest.mark.schedseeds
def test_what_was_handed_over_is_received_and_the_exception_waits():
    ch, never = Hchan(), Hchan()
    got = []

    def body():
        got.append(ch.recv())
        never.recv()

    t = parked(body, state=RECEIVING)
    ch.send("x")
    inject(t.g, Stop())  # it has been readied, but has not run yet
    assert isinstance(t.error(), Stop)
    assert got == ["x"] and idle(ch) and idle(never)


@pytest.mark.schedseeds
def test_a_send_that_has_taken_place_returns_and_the_exception_waits():
    ch, never = Hchan(), Hchan()
    log = []

    def body():
        ch.send("x")
        log.append("sent")
        never.recv()

    t = parked(body, state=SENDING)
    assert ch.recv() == "x"
    inject(t.g, Stop())
    assert isinstance(t.error(), Stop)
    assert log == ["sent"] and idle(ch)


@pytest.mark.schedseeds
def test_a_close_comes_before_the_exception():
    ch, never = Hchan(), Hchan()

    def sender():
        with pytest.raises(runtime.Error, match="send on closed channel"):
            ch.send(1)
        never.recv()

    t = parked(sender, state=SENDING)
    ch.close()
    inject(t.g, Stop())
    assert isinstance(t.error(), Stop)


@pytest.mark.schedseeds
def test_an_exception_for_one_that_does_not_wait_yet():
    """It comes out of the next park, and the operation has not taken place; nor is one that need not wait prevented."""
    ch = Hchan(1)

    def body():
        ch.send(1)
        assert ch.recv() == 1
        ch.recv()

    t = spawn(body)
    inject(t.g, Stop())
    assert isinstance(t.error(), Stop)
    assert idle(ch)


@pytest.mark.schedseeds
def test_a_late_cancel_takes_nobody_else_out():
    """A sudog is used again: whoever would cancel an earlier wait on it must find that it is another's."""
    ch = Hchan()
    t = parked(ch.recv, state=RECEIVING)
    sg, g = ch.recvfirst, t.g
    ch.send(1)
    assert t.join() == 1
    u = parked(ch.recv, state=RECEIVING)
    assert ch.recvfirst is sg
    assert not sg.cancelf(g, 0) and not dequeueSudoG(sg, g)
    ch.send(2)
    assert u.join() == 2
    assert not sg.cancelf(u.g, 0)


@pytest.mark.schedseeds
def test_exceptions_and_values_at_random_lose_none():
    seed = random.randrange(1 << 30)
    print("seed", seed)
    rnd = random.Random(seed)
    ch = Hchan(2)
    sent, got, stopped = [], [], []

    def send(i):
        try:
            ch.send(i)
        except Stop:
            stopped.append(i)
        else:
            sent.append(i)

    def recv():
        try:
            got.append(ch.recv())
        except Stop:
            pass

    tasks = []
    for i in range(4000):
        what = rnd.random()
        if what < 0.4:
            tasks.append(spawn(send, i))
        elif what < 0.8:
            tasks.append(spawn(recv))
        elif tasks:
            inject(rnd.choice(tasks[-20:]).g, Stop())
        if rnd.random() < 0.5:
            runtime.Gosched()
    while not all(t.done for t in tasks):
        runtime.Gosched()
        if ch.recvfirst:
            selectnbsend(ch, -1)
        elif (v := selectnbrecv(ch)) is not chanBlocks:
            got.append(v)
    until_dead(*(t.g for t in tasks))
    while (v := selectnbrecv(ch)) is not chanBlocks:
        got.append(v)
    got = [v for v in got if v != -1]
    assert sorted(got) == sorted(sent) and not set(got) & set(stopped)
    assert idle(ch)


def test_what_interrupts_main_loses_nothing():
    """Ctrl-C while main waits in the poller's sleep, in each of the operations."""
    program = """
        from gonet import chan, select, recv, send
        from runtime.proc import inject
        a, b = chan(), chan()
        waits = [a.recv, a.recv2, lambda: next(a), lambda: a.send(1), lambda: select(a, recv(b)),
                 lambda: select(send(a, 1), send(b, 2)), lambda: select()]
        for wait in waits:
            signal.setitimer(signal.ITIMER_REAL, 0.02)
            try:
                wait()
            except KeyboardInterrupt:
                say("interrupted")
            for ch in a, b:
                assert ch.recvfirst is ch.recvlast is ch.sendfirst is ch.sendlast is None
        go(a.send, 5)
        say(a.recv())
    """
    handler = "signal.signal(signal.SIGALRM, signal.default_int_handler)\n"
    assert runs(handler + textwrap.dedent(program)) == "interrupted\n" * 7 + "5\n"


def test_a_deadlock_is_raised_and_may_be_caught():
    """The abandoned wait leaves nothing behind."""
    program = """
        from gonet import chan, select, recv, send
        ch, other = chan(), chan()
        parked = go(other.recv)
        for wait in ch.recv, lambda: ch.send(1), lambda: select(ch, send(ch, 1)), lambda: select(None, None), select:
            try:
                wait()
            except runtime.Error as err:
                say(str(err).splitlines()[0], [line for line in str(err).splitlines() if "goroutine 1 " in line][0])
            assert ch.recvfirst is ch.recvlast is ch.sendfirst is ch.sendlast is None
        go(ch.send, "x")
        say(ch.recv(), parked.state())
    """
    said = runs(program).splitlines()
    deadlock = "all goroutines are asleep - deadlock!"
    reasons = ["chan receive", "chan send", "select", "select", "select (no cases)"]
    assert said == [*(f"{deadlock} goroutine 1 [{r}]:" for r in reasons), "x chan receive"]


# ---- signals


def test_a_signal_handler_may_send_while_main_waits():
    ch = Hchan()
    old = signal.signal(signal.SIGUSR1, lambda *args: ch.send("from the handler"))
    try:
        t = Thread(lambda: until_parked_then_kill())
        assert ch.recv() == "from the handler"
        t.join()
    finally:
        signal.signal(signal.SIGUSR1, old)


def until_parked_then_kill():
    main = sched.maing
    give_up = threading.Event()
    while main.state() != RECEIVING:
        give_up.wait(0.001)
    signal.raise_signal(signal.SIGUSR1)


def test_a_signal_handler_may_wait_for_others():
    """It blocks on a stack of its own; main goes on as soon as it has what it waits for."""
    ch, back = Hchan(), Hchan()

    def handler(*args):
        back.send("waits for a receiver")
        ch.send("done")

    old = signal.signal(signal.SIGUSR1, handler)
    try:
        g = runtime.go(lambda: (back.recv(), None))
        t = Thread(lambda: until_parked_then_kill())
        assert ch.recv() == "done"
        t.join()
        until_dead(g)
    finally:
        signal.signal(signal.SIGUSR1, old)


def test_signal_handlers_between_the_lines_of_an_operation():
    """A storm of signals, whose handlers nest and use the very channel that main uses: every value arrives once."""
    program = """
        import itertools
        from gonet import chan, select, recv, send
        ch, mine, ids, sent, got = chan(4), chan(4), itertools.count(), [], []
        def handler(*args):
            while True:
                v = next(ids)
                if select(send(ch, v), default=True)[0] != 0:
                    break
                sent.append(v)
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
        while len(got) < 2000:
            i, v, ok = select(ch, mine)
            got.append(v)
            while (r := select(ch, recv(mine), default=True))[0] == 0:
                got.append(r[1])
            got.append(ch.recv())
        signal.setitimer(signal.ITIMER_REAL, 0)
        ch.close()
        got += ch
        assert sorted(got) == sorted(sent), set(got) ^ set(sent)
        assert ch.recvfirst is ch.recvlast is None
        say("ok")
    """
    assert runs(program) == "ok\n"


# ---- threads


def test_a_thread_receives_from_a_goroutine_and_back():
    ch, back = Hchan(), Hchan()
    t = Thread(lambda: back.send(ch.recv() + 1))
    until(lambda: t.state() == RECEIVING)
    ch.send(1)
    assert back.recv() == 2
    t.join()


def test_a_thread_waits_to_send():
    ch = Hchan()
    t = Thread(ch.send, 1)
    until(lambda: t.state() == SENDING)
    assert ch.recv() == 1
    t.join()


def test_close_wakes_threads():
    ch = Hchan()
    receivers = [Thread(ch.recv2) for _ in range(3)]
    until(lambda: all(t.state() == RECEIVING for t in receivers))
    ch.close()
    assert [t.join() for t in receivers] == [(None, False)] * 3
    ch = Hchan()
    sender = Thread(ch.send, 1)
    until(lambda: sender.state() == SENDING)
    ch.close()
    with pytest.raises(runtime.Error, match="send on closed channel"):
        sender.join()


def test_threads_talk_to_each_other():
    a, b = Hchan(), Hchan()

    def ping():
        for i in range(300):
            a.send(i)
            assert b.recv() == i

    def pong():
        for i in range(300):
            assert a.recv() == i
            b.send(i)

    for t in [Thread(ping), Thread(pong)]:
        t.join()


def test_a_thread_that_waits_is_no_deadlock():
    """While another thread lives that may wake it; when that one ends, main finds out."""
    program = """
        from gonet import chan
        ch = chan()
        release = threading.Event()
        t = threading.Thread(target=lambda: (release.wait(), ch.send("x")))
        t.start()
        threading.Timer(0.4, release.set).start()
        say(ch.recv())
        t.join()
        try:
            ch.recv()
        except runtime.Error as err:
            say(str(err).splitlines()[0])
    """
    assert runs(program) == "x\nall goroutines are asleep - deadlock!\n"


EXCHANGE = """
    from gonet import chan, select, recv, send
    N = int(sys.argv[1])  # messages in each direction
    K = 8
    sys.setswitchinterval(1e-5)

    def work(side, k, out, inp, got):
        # Everybody sends N // K values, and receives until it is told to stop; half of them by select.
        n, i = N // K, 0
        if k % 2:
            while i < n or inp is not None:
                which, v, ok = select(send(out, side + (i * K + k) * 2) if i < n else None, inp)
                if which == 0:
                    i += 1
                elif ok:
                    got.append(v)
                else:
                    inp = None
                if i == n:
                    i += 1
                    done.send(side)
        else:
            ended = chan()
            def read():
                for v in inp:
                    got.append(v)
                ended.close()
            if side:
                go(read)
            else:
                threading.Thread(target=read).start()
            while i < n:
                out.send(side + (i * K + k) * 2)
                i += 1
            done.send(side)
            ended.recv()
        done.send(2)

    cap = int(sys.argv[2])
    up, down, done = chan(cap), chan(cap), chan()
    gots = [[] for _ in range(2 * K)]
    threads = [threading.Thread(target=work, args=(0, k, up, down, gots[k])) for k in range(K)]
    for t in threads:
        t.start()
    for k in range(K):
        go(work, 1, k, down, up, gots[K + k])
    sent = [0, 0, 0]
    while sent[2] < 2 * K:
        s = done.recv()
        sent[s] += 1
        if s != 2 and sent[s] == K:
            (down if s else up).close()
    for t in threads:
        t.join()
    for side, lists in ((1, gots[:K]), (0, gots[K:])):
        values = [v for l in lists for v in l]
        assert sorted(values) == [2 * i + side for i in range(N // K * K)], len(values)
        for l in lists:  # a sender's values are received in order
            for k in range(K):
                mine = [v for v in l if v // 2 % K == k]
                assert mine == sorted(mine)
    for ch in up, down, done:
        assert ch.recvfirst is ch.recvlast is ch.sendfirst is ch.sendlast is None
    say("ok")
"""


@pytest.mark.limit(320)
@pytest.mark.parametrize("procs", [1, 3])
@pytest.mark.parametrize("cap", [0, 1, 16])
def test_threads_and_goroutines_exchange_many_messages(cap, procs):
    """8 OS threads and 8 goroutines in both directions: none lost, none doubled, each sender's in order."""
    n = 8_000
    if runtime.compiled:
        n = 500_000 if cap == 16 else 50_000  # a million messages, there and back
    assert runs(EXCHANGE, str(n), str(cap), env={"GOMAXPROCS": str(procs)}, limit=300) == "ok\n"


@pytest.mark.skipif(runtime.compiled, reason="the compiled form is built with or without locks")
@pytest.mark.parametrize("procs", [1, 3])
@pytest.mark.parametrize("cap", [0, 2])
def test_the_same_with_every_lock_taken(cap, procs):
    first = "import sys; sys.settrace(lambda *args: None)\nimport runtime.asm\nassert runtime.asm.LOCKS\n"
    first += "sys.settrace(None)\n"
    env = {"GOMAXPROCS": str(procs)}
    assert runs(EXCHANGE, "8000", str(cap), env=env, limit=100, prelude=first + PRELUDE) == "ok\n"


# ---- forks


def test_in_a_forked_child_nobody_waits_any_more():
    """What other goroutines and threads of the parent waited for is there for the child's own."""
    program = """
        from gonet import chan, select, recv, send
        a, b, c = chan(), chan(), chan(1)
        c.send("buffered")
        gs = [go(a.recv), go(b.send, "ghost"), go(c.send, "ghost"), go(select, a, send(b, "ghost")), go(select, c, a)]
        t = threading.Thread(target=a.recv, daemon=True)
        t.start()
        until(lambda: len(sched.extram) == 1 and all(m.curg.state() == "chan receive" for m in sched.extram.values()))
        for g in gs:
            until(lambda: g.state() in ("chan receive", "chan send", "select", "dead"))
        pid = os.fork()
        if pid == 0:
            assert select(send(a, 1), default=True)[0] == -1
            assert select(recv(b), default=True)[0] == -1
            for ch in a, b:
                go(ch.send, "child's")
                assert ch.recv() == "child's"
            for ch in a, b, c:
                ch.close()
            say(list(c), list(a), list(b))
            os._exit(0)
        os.waitpid(pid, 0)
        say(sorted(g.state() for g in gs))
        a.send(1)  # the parent's still wait
        say(b.recv())
    """
    said = runs(program).splitlines()
    assert len(said) == 3 and said[0] in ("['buffered'] [] []", "['ghost'] [] []"), said
    assert said[2] == "ghost"


# ---- what is kept alive


def things(n):
    made = [Thing() for _ in range(n)]
    return made, [weakref.ref(x) for x in made]


def gone(refs):
    gc.collect()
    return [i for i, r in enumerate(refs) if r() is not None] == []


def test_a_received_value_is_not_kept():
    ch = Hchan(3)
    made, refs = things(3)
    while made:
        ch.send(made.pop())
    assert all(r() for r in refs)
    for left in range(2, -1, -1):
        ch.recv()
        assert sum(r() is not None for r in refs) == left  # at once, by count


@pytest.mark.schedseeds
def test_a_value_that_was_handed_over_is_not_kept():
    ch = Hchan()
    made, refs = things(2)
    t = parked(lambda: ch.recv() and None, state=RECEIVING)
    ch.send(made.pop())
    t.join()
    u = spawn(lambda: ch.send(made.pop()))
    until_state(u.g, SENDING)
    ch.recv()
    u.join()
    assert gone(refs)


@pytest.mark.schedseeds
def test_a_value_that_was_not_sent_is_not_kept():
    made, refs = things(3)
    closed, ch = Hchan(), Hchan()
    closed.close()
    with pytest.raises(runtime.Error):
        closed.send(made.pop())
    t = spawn(lambda: ch.send(made.pop()))
    until_state(t.g, SENDING)
    ch.close()
    t.error().__traceback__ = None
    stopped = Hchan()
    u = spawn(lambda: stopped.send(made.pop()))
    until_state(u.g, SENDING)
    inject(u.g, Stop())
    u.error().__traceback__ = None
    del t, u
    assert gone(refs) and not made


def test_a_channel_keeps_what_is_in_it_and_goes_with_it():
    ch = Hchan(2)
    made, refs = things(2)
    while made:
        ch.send(made.pop())
    w = weakref.ref(ch)
    del ch
    assert w() is None and gone(refs)


@pytest.mark.schedseeds
def test_a_channel_that_was_waited_on_is_not_kept():
    ch = Hchan()
    t = parked(ch.recv, state=RECEIVING)
    ch.send(1)
    t.join()
    w, g = weakref.ref(ch), weakref.ref(t.g)
    del ch, t
    gc.collect()
    assert w() is None and g() is None


def test_a_cycle_through_a_channel_is_collected():
    ch = Hchan(1)
    thing = Thing()
    thing.ch = ch
    ch.send(thing)
    w = weakref.ref(thing)
    del ch, thing
    gc.collect()
    assert w() is None


@pytest.mark.schedseeds
def test_a_finalizer_may_send():
    """It runs wherever the collector does."""
    ch = Hchan(1000)

    class Last:
        def __init__(self):
            self.me = self

        def __del__(self):
            ch.send("last words")

    def work():
        for i in range(200):
            Last()
            gc.collect(0)
            inner.send(i)

    inner = Hchan(1)
    t = spawn(work)
    assert [inner.recv() for _ in range(200)] == list(range(200))
    t.join()
    gc.collect()
    assert len(ch) == 200


@pytest.mark.schedseeds
def test_collections_in_odd_places_harm_nobody():
    old = gc.get_threshold()
    gc.set_threshold(1, 1, 1)
    try:
        ch = Hchan()
        t = spawn(lambda: [ch.send([i]) for i in range(300)])
        assert [ch.recv()[0] for i in range(300)] == list(range(300))
        t.join()
    finally:
        gc.set_threshold(*old)


# ---- many


def test_thousands_wait_on_one_channel():
    n = 20_000 if runtime.compiled else 3_000
    ch, back = Hchan(), Hchan(n)
    for _ in range(n):
        runtime.go(lambda: back.send(ch.recv()))
    until(lambda: waiting(ch) == n)
    for i in range(n // 2):
        ch.send(i)
    assert sorted(back.recv() for _ in range(n // 2)) == list(range(n // 2))
    ch.close()
    assert [back.recv() for _ in range(n - n // 2)] == [None] * (n - n // 2)
    assert idle(ch) and idle(back)


def waiting(ch):
    """How many receivers, after a look at the links of their queue."""
    count, sg = 0, ch.recvfirst
    while sg is not None:
        assert sg.prev is None if count == 0 else sg.prev.next is sg
        assert (sg.next is None) == (sg is ch.recvlast)
        sg = sg.next
        count += 1
    return count


@pytest.mark.skipif(not runtime.compiled, reason="the bound is the compiled form's")
def test_a_goroutine_parked_on_a_channel_takes_little_memory():
    """20,000 of them, 6.5 KB each at most, all told."""
    program = """
        import resource
        from gonet import chan
        def rss():
            gc.collect()
            return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()
        ch = chan()
        def wait():
            ch.recv()
        go(wait)
        runtime.Gosched()
        before, n = rss(), 20_000
        for i in range(n):
            go(wait)
            if i % 100 == 99:
                runtime.Gosched()
        for _ in range(3):
            runtime.Gosched()
        each = (rss() - before) / n
        assert each <= 6.5 * 1024, each
        ch.close()
        until(lambda: runtime.NumGoroutine() == 1)
        say("ok")
    """
    if not sys.platform.startswith("linux"):
        pytest.skip("reads /proc")
    assert runs(program, limit=60) == "ok\n"


# ---- the stub


def test_the_stub_is_in_step():
    """chan.pyi declares what chan.py exports, with the same parameters."""

    def read(suffix):
        functions, classes, names = {}, {}, None
        for node in ast.parse((ROOT / "runtime" / f"chan.{suffix}").read_text()).body:
            if isinstance(node, ast.FunctionDef):
                functions[node.name] = [a.arg for a in node.args.posonlyargs + node.args.args]
            elif isinstance(node, ast.ClassDef):
                classes[node.name] = {
                    f.name: [a.arg for a in f.args.posonlyargs + f.args.args]
                    for f in node.body
                    if isinstance(f, ast.FunctionDef)
                }
            elif isinstance(node, ast.Assign) and node.targets[0].id == "__all__":
                names = ast.literal_eval(node.value)
        return functions, classes, names

    functions, classes, names = read("py")
    stub_functions, stub_classes, stub_names = read("pyi")
    assert stub_names == names
    assert stub_functions == {name: f for name, f in functions.items() if name in names}
    for name, methods in stub_classes.items():
        assert name in names
        for method, parameters in methods.items():
            assert classes[name][method] == parameters, (name, method)
    public = {m for m in classes["Hchan"] if not m.startswith("_")}
    assert public <= set(stub_classes["Hchan"])
