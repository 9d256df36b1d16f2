"""select: choice, commitment to one case, None channels, default, exceptions in the wait, and what is left behind."""

from __future__ import annotations

import gc
import random
import weakref

import pytest

import runtime
from runtime import chan as chan_module
from runtime.chan import Hchan, selectnbrecv
from runtime.gmp import chanBlocks, sched
from runtime.proc import inject
from runtime.select import close, recv, select, send
from runtime.timesleep import timeSleep
from tests.helpers import PRELUDE, Thread, parked, runs, spawn, until, until_dead, until_state

pytestmark = pytest.mark.usefixtures("nothing_left_over")

FORMS = pytest.mark.parametrize("as_case", [recv, lambda ch: ch], ids=["recv(ch)", "ch"])


class Stop(Exception):
    pass


class Thing:
    """Can be referred to weakly."""


def idle(*channels):
    """Nobody waits on any of them."""
    return all(ch.recvfirst is ch.recvlast is ch.sendfirst is ch.sendlast is None for ch in channels)


def full(*values):
    ch = Hchan(len(values))
    for v in values:
        ch.send(v)
    return ch


def closed(*values):
    ch = full(*values)
    ch.close()
    return ch


# ---- what is ready


@FORMS
def test_a_receive_that_is_ready(as_case):
    a, b = Hchan(1), full("x")
    assert select(as_case(a), as_case(b)) == (1, "x", True)
    assert len(b) == 0


def test_a_send_that_is_ready():
    a, b = full("x"), Hchan(1)
    assert select(send(a, 1), send(b, 2)) == (1, None, False)
    assert (a.recv(), b.recv()) == ("x", 2)


@FORMS
def test_a_closed_channel_is_ready_to_receive(as_case):
    ch = closed("last")
    got = [select(as_case(Hchan()), as_case(ch)) for _ in range(3)]
    assert got == [(1, "last", True), (1, None, False), (1, None, False)]
    assert [type(ok) for _, _, ok in got] == [bool] * 3


def test_a_send_on_a_closed_channel_is_ready_too_and_fails():
    ch = closed()
    for default in False, True:
        with pytest.raises(runtime.Error, match="^send on closed channel$"):
            select(send(ch, 1), Hchan(), default=default)
    assert select(ch) == (0, None, False)  # the channel stays usable


@pytest.mark.schedseeds
def test_a_waiting_partner_makes_a_case_ready():
    a, b = Hchan(), Hchan()
    t = parked(a.send, "x", state="chan send")
    assert select(b, a) == (1, "x", True)
    t.join()
    t = parked(a.recv, state="chan receive")
    assert select(send(b, 1), send(a, 2)) == (1, None, False)
    assert t.join() == 2


@pytest.mark.schedseeds
def test_a_waiting_senders_value_goes_to_the_end_of_the_buffer():
    ch = full(0, 1)
    t = parked(ch.send, 2, state="chan send")
    assert select(ch, Hchan()) == (0, 0, True)
    t.join()
    assert [ch.recv(), ch.recv()] == [1, 2]


def test_it_reads_well_in_match():
    a, b = full("x"), Hchan(1)
    match select(recv(a), send(b, 2)):
        case 0, v, ok:
            assert (v, ok) == ("x", True) and len(b) == 0
        case 1, _, _:
            assert b.recv() == 2
    match select(Hchan(), default=True):
        case -1, _, _:
            pass
        case got:
            pytest.fail(f"got {got}")


# ---- default


def test_the_default_is_taken_when_nothing_is_ready():
    """Go test/chan/nonblock.go."""
    a, b = Hchan(), full(1)
    assert select(recv(a), send(b, 2), default=True) == (-1, None, False)
    assert select(default=True) == (-1, None, False)
    assert select(None, recv(None), send(None, 1), default=True) == (-1, None, False)
    assert idle(a, b)


def test_the_default_is_not_taken_when_something_is_ready():
    for _ in range(100):
        assert select(full("x"), Hchan(), default=True) == (0, "x", True)
        assert select(send(Hchan(1), 1), Hchan(), default=True) == (0, None, False)


@pytest.mark.schedseeds
def test_a_loop_on_default_lets_others_run():
    """It gives way when its slice is spent."""
    ch = Hchan()
    runtime.go(ch.send, "x")
    while (got := select(ch, default=True))[0] < 0:
        pass
    assert got == (0, "x", True)


@pytest.mark.schedseeds
@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["first to second", "second to first"])
@pytest.mark.parametrize("closes", [False, True])
def test_the_default_is_chosen_for_one_instant(order, closes):
    """Go TestNonblockSelectRace, TestNonblockSelectRace2: one of the two is ready at any time."""
    for i in range(200):
        chs = [Hchan(1), Hchan(1)]
        chs[0].send(1)
        t = spawn(lambda cases: select(*cases, default=True), [chs[k] for k in order])
        if i % 2:
            runtime.Gosched()
        if closes:
            chs[1].close()
        else:
            chs[1].send(1)
        select(chs[0], default=True)
        assert t.join()[0] >= 0


INSTANT = """
    from gonet import chan, select, recv, send
    # The same between threads, with much to look at in between, so that the other one comes in the middle of a look.
    sys.setswitchinterval(1e-6)
    rounds, never, now, done = int(sys.argv[1]), [chan() for _ in range(40)], [None], [None]

    def look():
        for n in range(rounds):
            while now[0] is None or now[0][0] != n:
                pass
            cases = now[0][1]
            done[0] = (n, None)
            done[0] = (n, select(*cases, default=True)[0])

    t = threading.Thread(target=look)
    t.start()
    for n in range(rounds):
        first, second = chan(1), chan(1)
        if n % 2:  # which can be received from moves
            first.send(1)
            cases = [second, *never, first]
        else:  # which can be sent on moves
            second.send(0)
            cases = [send(second, 1), *never, send(first, 1)]
        now[0] = (n, cases)
        while done[0] is None or done[0][0] != n:
            pass
        if n % 4 == 3:
            second.close()
        elif n % 2:
            second.send(1)
        else:
            second.recv()
        if n % 2:
            select(first, default=True)
        else:
            select(send(first, 0), default=True)
        while done[0] == (n, None):
            pass
        assert done[0][1] in (0, 41), (n, done)
    t.join()
    say("ok")
"""


def test_the_default_is_chosen_for_one_instant_in_threads():
    assert runs(INSTANT, "400", limit=60) == "ok\n"


# ---- None


def test_none_is_never_ready():
    ch = full(1, 2, 3)
    for case in None, recv(None), send(None, 1):
        assert select(case, ch, case)[:1] == (1,)


@pytest.mark.schedseeds
@pytest.mark.parametrize(
    "cases, state",
    [
        ((), "select (no cases)"),
        ((None,), "chan receive (nil chan)"),
        ((recv(None),), "chan receive (nil chan)"),
        ((send(None, 1),), "chan send (nil chan)"),
        ((None, None), "select"),
        ((send(None, 1), recv(None)), "select"),
    ],
)
def test_without_a_channel_it_waits_for_ever(cases, state):
    t = parked(select, *cases, state=state)
    for _ in range(3):
        runtime.Gosched()
    assert not t.done
    inject(t.g, Stop())
    assert isinstance(t.error(), Stop)


# ---- misuse


@pytest.mark.parametrize("case", [1, "ch", (Hchan(1), 1), object(), select, chan_module])
@pytest.mark.parametrize("default", [False, True])
def test_what_is_no_case(case, default):
    ready = full(1)
    with pytest.raises(TypeError, match="^select: case 1 is "):
        select(ready, case, default=default)
    assert len(ready) == 1  # nothing has been done


def test_what_is_no_channel():
    for f in (lambda: recv(1), lambda: send("x", 1), lambda: close([])):
        with pytest.raises(TypeError, match="channel"):
            f()
    with pytest.raises(runtime.Error, match="^close of nil channel$"):
        close(None)


def test_cases_can_be_made_beforehand_and_used_again():
    ch = Hchan(3)
    a, b = send(ch, "x"), recv(ch)
    for _ in range(3):
        assert select(a)[0] == 0
    for _ in range(3):
        assert select(b) == (0, "x", True)
    assert "send" in repr(a) and "recv" in repr(b) and repr(recv(None)) == "recv(None)"


# ---- waiting


@pytest.mark.schedseeds
@FORMS
@pytest.mark.parametrize("which", range(3))
def test_it_waits_for_the_first_to_be_sent_on(as_case, which):
    chs = [Hchan() for _ in range(3)]
    t = parked(lambda: select(*map(as_case, chs)), state="select")
    chs[which].send("x")
    assert idle(*(ch for ch in chs if ch is not chs[which])) is False  # until it runs
    assert t.join() == (which, "x", True)
    assert idle(*chs)


@pytest.mark.schedseeds
@pytest.mark.parametrize("which", range(3))
def test_it_waits_for_the_first_to_be_received_from(which):
    chs = [Hchan() for _ in range(3)]
    t = parked(lambda: select(*(send(ch, i) for i, ch in enumerate(chs))), state="select")
    assert chs[which].recv() == which
    assert t.join() == (which, None, False)
    assert idle(*chs)


@pytest.mark.schedseeds
@pytest.mark.parametrize("cap", [1, 2])
def test_it_waits_for_room(cap):
    a, b = full(*range(cap)), Hchan()
    t = parked(lambda: select(send(a, "x"), send(b, "y")), state="select")
    assert a.recv() == 0
    assert t.join() == (0, None, False)
    assert [a.recv() for _ in range(cap)] == [*range(1, cap), "x"]
    assert idle(a, b)


@pytest.mark.schedseeds
def test_close_wakes_it():
    a, b = Hchan(), Hchan()
    t = parked(lambda: select(a, b), state="select")
    b.close()
    assert t.join() == (1, None, False)
    u = parked(lambda: select(a, send(a, 1)), state="select")
    a.close()
    try:
        assert u.join() == (0, None, False)
    except runtime.Error as err:
        assert str(err) == "send on closed channel"
    v = parked(lambda: select(send(c, 1), send(d, 1)), state="select") if (c := Hchan()) and (d := Hchan()) else None
    d.close()
    assert isinstance(v.error(), runtime.Error) and str(v.error()) == "send on closed channel"
    assert idle(a, b, c, d)


@pytest.mark.schedseeds
def test_only_one_case_is_done():
    """Two partners come before it runs again: the second finds nobody."""
    a, b = Hchan(), Hchan()
    t = parked(lambda: select(a, b), state="select")
    a.send(1)
    assert select(send(b, 2), default=True) == (-1, None, False)
    assert idle(b)  # dropped by whoever came across it
    assert t.join() == (0, 1, True)
    t = parked(lambda: select(send(a, 1), send(b, 2)), state="select")
    assert a.recv() == 1
    assert selectnbrecv(b) is chanBlocks
    assert t.join() == (0, None, False)
    assert idle(a, b)


@pytest.mark.schedseeds
def test_those_behind_a_decided_select_are_served():
    a, b = Hchan(), Hchan()
    t = parked(lambda: select(a, b), state="select")
    u = parked(b.recv, state="chan receive")
    a.send(1)
    b.send(2)
    assert (t.join(), u.join()) == ((0, 1, True), 2)
    t = parked(lambda: select(send(a, 1), send(b, 2)), state="select")
    u = parked(b.send, 3, state="chan send")
    assert (a.recv(), b.recv()) == (1, 3)
    assert t.join()[0] == 0 and u.join() is None
    t = parked(lambda: select(a, b), state="select")
    u = parked(lambda: b.recv2(), state="chan receive")
    a.send(1)
    b.close()
    assert (t.join(), u.join()) == ((0, 1, True), (None, False))


@pytest.mark.schedseeds
def test_selects_wait_for_each_other():
    """Go test/chan/select5.go in part: both sides are selects."""
    a, b = Hchan(), Hchan()
    t = parked(lambda: select(send(a, "x"), b), state="select")
    assert select(send(b, "y"), a) in ((0, None, False), (1, "x", True))
    assert t.join() in ((0, None, False), (1, "y", True))
    assert idle(a, b)


@pytest.mark.schedseeds
@pytest.mark.parametrize("direct", [True, False])
def test_select_and_select_exchange_many_values(direct):
    """Go TestSelectDuplicateChannel, TestSelectStress in small: all four combinations of buffers at once."""
    chs = [Hchan(cap) for cap in (0, 0, 2, 3)]
    n = 300

    def sender(k):
        for i in range(n):
            chs[k].send((k, i))

    def receiver(k):
        for i in range(n):
            assert chs[k].recv() == (k, i)

    def select_sender():
        todo = [0] * 4
        while min(todo) < n:
            k, _, _ = select(*(send(ch, (k, todo[k])) if todo[k] < n else None for k, ch in enumerate(chs)))
            todo[k] += 1

    def select_receiver():
        seen = [0] * 4
        while min(seen) < n:
            k, v, ok = select(*(ch if seen[k] < n else None for k, ch in enumerate(chs)))
            assert (v, ok) == ((k, seen[k]), True)
            seen[k] += 1

    tasks = []
    if direct:
        tasks += [spawn(sender, k) for k in range(4)]
        tasks.append(spawn(select_receiver))
        for t in tasks:
            t.join()
        tasks = [spawn(receiver, k) for k in range(4)]
        tasks.append(spawn(select_sender))
    else:
        tasks += [spawn(select_sender), spawn(select_receiver)]
    for t in tasks:
        t.join()
    assert idle(*chs) and not any(map(len, chs))


# ---- one channel in several cases


@pytest.mark.schedseeds
def test_the_same_channel_twice():
    """Go TestSelectDuplicateChannel: two goroutines, one of which waits on one channel twice."""
    ch, other = Hchan(), Hchan()
    t = parked(lambda: select(ch, other, ch), state="select")
    u = parked(ch.recv, state="chan receive")
    ch.send("first")
    ch.send("second")
    i, v, ok = t.join()
    assert i in (0, 2) and (v, ok) == ("first", True)
    assert u.join() == "second"
    assert idle(ch, other)


@pytest.mark.schedseeds
def test_a_select_does_not_meet_itself():
    """Send and receive on one channel: another must come."""
    ch = Hchan()
    t = parked(lambda: select(send(ch, "mine"), recv(ch)), state="select")
    for _ in range(3):
        runtime.Gosched()
    assert not t.done
    ch.send("yours")
    assert t.join() == (1, "yours", True)
    t = parked(lambda: select(recv(ch), send(ch, "mine")), state="select")
    assert ch.recv() == "mine"
    assert t.join() == (1, None, False)
    assert idle(ch)


@pytest.mark.schedseeds
@pytest.mark.parametrize("n", [2, 3, 8])
def test_selects_that_would_do_both_find_each_other(n):
    """Each of 2n selects sends on or receives from the one channel; Go test/chan/doubleselect.go's shape."""
    ch, other = Hchan(), Hchan()
    cases = [send(ch, "x"), recv(ch), recv(other), send(ch, "y")]
    ts = [spawn(lambda: select(*random.sample(cases, 4))) for _ in range(2 * n)]
    got = [t.join() for t in ts]
    assert sum(v in ("x", "y") for _, v, _ in got) == sum(not ok for _, _, ok in got) == n
    assert idle(ch, other)


@pytest.mark.schedseeds
def test_a_waiter_among_the_cases_of_a_select_on_both_sides():
    """Others queue behind a select that waits on both sides, and are not taken for it."""
    ch = Hchan()
    t = parked(lambda: select(send(ch, "s"), recv(ch)), state="select")
    u = spawn(ch.send, "u")  # meets t's receive
    assert t.join() == (1, "u", True) and u.join() is None
    t = parked(lambda: select(send(ch, "s"), recv(ch), send(ch, "s")), state="select")
    u = spawn(ch.recv)
    assert t.join()[0] in (0, 2) and u.join() == "s"
    assert idle(ch)


# ---- fairness


def counts(n, f):
    """How often f() gave each result, in n calls."""
    got = {}
    for _ in range(n):
        r = f()
        got[r] = got.get(r, 0) + 1
    return got


@pytest.mark.parametrize("k", [2, 3, 5])
def test_the_choice_among_those_ready_is_uniform(k):
    """Go TestSelectFairness. The bound is more than six standard deviations off."""
    chs = [closed() for _ in range(k)]
    blocked = Hchan()
    n = 3000
    got = counts(n, lambda: select(blocked, *chs, None)[0])
    assert sorted(got) == list(range(1, k + 1))
    sigma = (n * (1 / k) * (1 - 1 / k)) ** 0.5
    assert all(abs(c - n / k) < 6.5 * sigma for c in got.values()), got


def test_the_choice_is_uniform_over_sends_and_receives_of_one_channel():
    n = 3000

    def f():
        return select(recv(ch), send(ch, 1), recv(ch))[0]

    got = {0: 0, 1: 0, 2: 0}
    for _ in range(n):
        ch = Hchan(2)
        ch.send(0)
        got[f()] += 1
    sigma = (n * 2 / 9) ** 0.5
    assert all(abs(c - n / 3) < 6.5 * sigma for c in got.values()), got


@pytest.mark.schedseeds
def test_the_choice_among_the_cases_that_wait_on_one_channel_is_uniform():
    n = 1500 if runtime.compiled else 600
    ch, other, more = Hchan(), Hchan(), Hchan()
    got = {0: 0, 1: 0, 3: 0}
    results = Hchan()

    def loop():
        for _ in range(n):
            results.send(select(ch, ch, other, ch, send(more, 0))[0])

    g = runtime.go(loop)
    for _ in range(n):
        until_state(g, "select")
        ch.send(1)
        got[results.recv()] += 1
    until_dead(g)
    sigma = (n * 2 / 9) ** 0.5
    assert all(abs(c - n / 3) < 6.5 * sigma for c in got.values()), got


@pytest.mark.schedseeds
def test_the_choice_among_two_cases_that_wait_on_one_channel():
    ch = Hchan()
    seen = set()
    for _ in range(200):
        t = parked(lambda: select(send(ch, 0), send(ch, 1)), state="select")
        v = ch.recv()
        assert t.join() == (v, None, False)
        seen.add(v)
    assert seen == {0, 1}


# ---- exceptions in the wait


@pytest.mark.schedseeds
@pytest.mark.parametrize(
    "cases",
    [
        lambda a, b: (a, b),
        lambda a, b: (send(a, 1), send(b, 2)),
        lambda a, b: (a, send(a, 1), send(b, 2), b, a),
    ],
    ids=["receives", "sends", "both"],
)
def test_an_exception_ends_the_wait_and_leaves_nothing_behind(cases):
    a, b = Hchan(), Hchan()
    t = parked(lambda: select(*cases(a, b)), state="select")
    inject(t.g, Stop())
    assert isinstance(t.error(), Stop)
    assert idle(a, b)
    for ch in a, b:
        assert select(send(ch, 1), default=True)[0] == select(ch, default=True)[0] == -1


@pytest.mark.schedseeds
def test_what_was_received_is_returned_and_the_exception_waits():
    a, b, never = Hchan(), Hchan(), Hchan()
    got = []

    def body():
        got.append(select(a, b))
        never.recv()

    t = parked(body, state="select")
    b.send("x")
    inject(t.g, Stop())
    assert isinstance(t.error(), Stop)
    assert got == [(1, "x", True)] and idle(a, b, never)


@pytest.mark.schedseeds
def test_a_send_that_has_taken_place_returns_and_the_exception_waits():
    a, b, never = Hchan(), Hchan(), Hchan()
    got = []

    def body():
        got.append(select(send(a, 1), send(b, 2)))
        never.recv()

    t = parked(body, state="select")
    assert b.recv() == 2
    inject(t.g, Stop())
    assert isinstance(t.error(), Stop)
    assert got == [(1, None, False)] and idle(a, b, never)


@pytest.mark.schedseeds
def test_nobody_meets_a_select_that_was_cancelled():
    """Between the exception and its next turn."""
    a, b = Hchan(), Hchan()
    t = parked(lambda: select(a, send(b, 1)), state="select")
    inject(t.g, Stop())
    assert select(send(a, 1), b, default=True) == (-1, None, False)
    a.close()
    assert isinstance(t.error(), Stop)
    assert idle(a, b)


@pytest.mark.schedseeds
def test_exceptions_values_and_selects_at_random_lose_none():
    seed = random.randrange(1 << 30)
    print("seed", seed)
    rnd = random.Random(seed)
    chs = [Hchan(cap) for cap in (0, 0, 1, 2)]
    sent, got = [], []

    def work(i):
        mine = rnd.sample(chs, rnd.randrange(1, 4))
        cases = [(k, ch, rnd.random() < 0.5) for k, ch in enumerate(mine)]
        try:
            k, v, ok = select(*(send(ch, (i, k)) if sends else ch for k, ch, sends in cases))
        except Stop:
            return
        if cases[k][2]:
            sent.append((i, k))
        else:
            assert ok
            got.append(v)

    tasks = []
    for i in range(4000):
        if rnd.random() < 0.8:
            tasks.append(spawn(work, i))
        elif tasks:
            inject(rnd.choice(tasks[-30:]).g, Stop())
        if rnd.random() < 0.5:
            runtime.Gosched()
    for _ in range(5):
        runtime.Gosched()
    for t in tasks:
        if not t.done:
            inject(t.g, Stop())
    for t in tasks:
        until_state(t.g, "dead")
        assert t.exc is None, t.exc
    got += [v for ch in chs for v in iter(lambda ch=ch: selectnbrecv(ch), chanBlocks)]
    assert sorted(got) == sorted(sent)
    assert idle(*chs)


# ---- threads


def test_a_thread_selects():
    a, b = Hchan(), Hchan()
    t = Thread(select, a, send(b, 1))
    until(lambda: t.state() == "select")
    assert b.recv() == 1
    assert t.join() == (1, None, False)
    t = Thread(select, a, b)
    until(lambda: t.state() == "select")
    a.close()
    assert t.join() == (0, None, False)
    assert idle(a, b)


RING = """
    from gonet import chan, select, recv, send
    # Selects on both sides of the same few channels, in threads and goroutines of several Ms: each is decided once.
    sys.setswitchinterval(1e-5)
    N, K = int(sys.argv[1]), 6
    chs = [chan(c) for c in (0, 0, 1)]
    stop = chan()
    outs = []

    def work(k):
        sent, got, n = [], [], 0
        order = list(range(3))
        while True:
            order = order[1:] + order[:1] if n % 3 else order[::-1]
            cases = [f(c) for c in order for f in (lambda c: send(chs[c], (k, n, c)), lambda c: recv(chs[c]))]
            i, v, ok = select(*cases, stop)
            if i == 6:
                break
            c = order[i // 2]
            if i % 2:
                assert ok and v[2] == c
                got.append(v)
            else:
                sent.append((k, n, c))
            n += 1
            if n == N:
                ready.send(k)
        outs.append((sent, got))
        ready.send(-1)

    ready = chan(4 * K)
    threads = [threading.Thread(target=work, args=(k,)) for k in range(K)]
    for t in threads:
        t.start()
    for k in range(K):
        go(work, K + k)
    left = 2 * K
    while left:
        left -= ready.recv() >= 0
    stop.close()
    while left < 2 * K:
        left += ready.recv() < 0
    for t in threads:
        t.join()
    for ch in chs:
        assert ch.recvfirst is ch.recvlast is ch.sendfirst is ch.sendlast is None
        ch.close()
    sent = [v for s, _ in outs for v in s]
    got = [v for _, g in outs for v in g] + [v for ch in chs for v in ch]
    assert sorted(sent) == sorted(got) and len(sent) > N
    say("ok")
"""


@pytest.mark.parametrize("procs", [1, 3])
def test_selects_in_threads_and_goroutines_are_decided_once(procs):
    n = 3000 if runtime.compiled else 300
    assert runs(RING, str(n), env={"GOMAXPROCS": str(procs)}, limit=100) == "ok\n"


LOCKED = """
import sys
sys.settrace(lambda *args: None)  # before the import: the runtime then takes every lock
import runtime.asm
assert runtime.asm.LOCKS
sys.settrace(None)
"""


@pytest.mark.skipif(runtime.compiled, reason="the compiled form is built with or without locks")
@pytest.mark.parametrize("procs", [1, 3])
def test_the_same_with_every_lock_taken(procs):
    prelude = LOCKED + PRELUDE
    assert runs(RING, "300", env={"GOMAXPROCS": str(procs)}, limit=100, prelude=prelude) == "ok\n"
    assert runs(INSTANT, "100", env={"GOMAXPROCS": str(procs)}, limit=100, prelude=prelude) == "ok\n"


# ---- what is kept alive


@pytest.mark.schedseeds
def test_nothing_is_kept_of_what_was_sent_received_or_not_sent():
    """Go's TestSelectStackAdjust has no counterpart; this is what may go wrong here."""
    a, b, c = Hchan(), Hchan(), Hchan(1)
    made = [Thing() for _ in range(6)]
    refs = [weakref.ref(x) for x in made]
    select(send(c, made.pop()), a)
    select(c, a)
    t = spawn(lambda: select(send(a, made.pop()), send(b, made.pop())))
    until_state(t.g, "select")
    b.recv()
    t.join()
    t = spawn(lambda: select(a, send(b, made.pop())) and None)
    until_state(t.g, "select")
    a.send(made.pop())
    t.join()
    t = spawn(lambda: select(a, send(b, made.pop())))
    until_state(t.g, "select")
    inject(t.g, Stop())
    t.error().__traceback__ = None
    del t
    gc.collect()
    assert not made and [r() for r in refs] == [None] * 6


@pytest.mark.schedseeds
def test_channels_that_were_waited_on_are_not_kept():
    a, b = Hchan(), Hchan()
    refs = [weakref.ref(a), weakref.ref(b)]
    t = parked(select, a, send(b, 1), a, state="select")
    a.send(1)
    t.join()
    del a, b, t
    gc.collect()
    assert [r() for r in refs] == [None, None]


@pytest.mark.schedseeds
def test_a_select_that_waits_often_leaves_nothing_on_a_quiet_channel():
    """Go TestSelectStress's worry: losing cases stack up."""
    busy, quiet = Hchan(), Hchan()
    t = spawn(lambda: [select(busy, quiet, send(quiet, 0)) for _ in range(500)])
    for i in range(500):
        busy.send(i)
        n, sg = 0, quiet.recvfirst
        while sg is not None:
            n, sg = n + 1, sg.next
        assert n <= 1
    t.join()
    assert idle(busy, quiet)


# ---- many cases


@pytest.mark.schedseeds
def test_hundreds_of_cases():
    chs = [Hchan() for _ in range(300)]
    cases = [f(ch) for ch in chs for f in (recv, lambda ch: send(ch, "x"))]
    rnd = random.Random(1)
    for _ in range(20):
        order = rnd.sample(range(600), 600)
        t = parked(select, *[cases[k] for k in order], state="select")
        k = rnd.randrange(300)
        if rnd.random() < 0.5:
            chs[k].send("y")
            assert t.join() == (order.index(2 * k), "y", True)
        else:
            assert chs[k].recv() == "x"
            assert t.join() == (order.index(2 * k + 1), None, False)
    assert idle(*chs)


@pytest.mark.schedseeds
def test_a_multiplexer():
    """A select whose number of cases shrinks as its channels are closed; Go's fan-in."""

    def producer(ch, k):
        for i in range(50):
            ch.send((k, i))
        ch.close()

    chs = [Hchan(k % 3) for k in range(8)]
    for k, ch in enumerate(chs):
        runtime.go(producer, ch, k)
    live = list(chs)
    got = [[] for _ in chs]
    while any(live):
        k, v, ok = select(*live)
        if ok:
            got[k].append(v)
        else:
            live[k] = None
    assert got == [[(k, i) for i in range(50)] for k in range(8)]


@pytest.mark.schedseeds
def test_a_timeout_by_select():
    """The shape of a wait with a limit: a channel that somebody else closes."""
    from runtime.timesleep import timeSleep

    never, timeout = Hchan(), Hchan()
    runtime.go(lambda: (timeSleep(0.005), timeout.close()))
    assert select(never, timeout) == (1, None, False)


# ---- more of Go's own


@pytest.mark.schedseeds
@pytest.mark.parametrize("cap", [0, 10])
@pytest.mark.parametrize("procs", [1, 2])
def test_two_that_send_and_receive_on_one_channel(cap, procs):
    """Go TestSelfSelect: neither receives from itself."""
    ch = Hchan(cap)
    n = 300

    def work(p):
        for i in range(n):
            cases = [send(ch, p), recv(ch)]
            k, v, ok = select(*(cases if p == 0 or i % 2 == 0 else cases[::-1]))
            assert not ok or cap or v != p, "received from itself"

    old = runtime.GOMAXPROCS(procs)
    try:
        for t in [spawn(work, 0), spawn(work, 1)]:
            t.join()
    finally:
        runtime.GOMAXPROCS(old)
    assert idle(ch)


def test_stress():
    """Go TestSelectStress, on several Ms: senders, receivers and two selects interact on four channels."""
    program = """
        from gonet import chan, select, recv, send
        n, done = int(sys.argv[1]), chan()
        chs = [chan(), chan(), chan(2), chan(3)]

        def sends(ch):
            for i in range(n):
                ch.send(0)
            done.send(None)

        def receives(ch):
            for i in range(n):
                ch.recv()
            done.send(None)

        def selects(case):
            left, mine = [n] * 4, list(chs)
            for i in range(4 * n):
                k = select(*map(case, mine))[0]
                left[k] -= 1
                if left[k] == 0:
                    mine[k] = None
            done.send(None)

        for ch in chs:
            go(sends, ch)
            go(receives, ch)
        go(selects, lambda ch: send(ch, 0))
        go(selects, recv)
        for i in range(10):
            done.recv()
        for ch in chs:
            assert len(ch) == 0 and ch.recvfirst is ch.recvlast is ch.sendfirst is ch.sendlast is None
        say("ok")
    """
    n = 5000 if runtime.compiled else 500
    for procs in "1", "4":
        assert runs(program, str(n), env={"GOMAXPROCS": procs}, limit=60) == "ok\n"


@pytest.mark.schedseeds
@pytest.mark.parametrize("cap", [0, 100])
def test_what_a_select_sends_is_random(cap):
    """Go TestPseudoRandomSend."""
    ch = Hchan(cap)
    t = spawn(lambda: [ch.recv() for _ in range(200)])
    for _ in range(200):
        select(send(ch, 1), send(ch, 0))
    assert 20 < sum(t.join()) < 180


def _recv1(ch):
    ch.recv()


def _recv2(ch):
    select(ch)


def _recv3(ch):
    select(ch, Hchan())


def _send1(ch):
    ch.send(1)


def _send2(ch):
    select(send(ch, 1))


def _send3(ch):
    select(send(ch, 1), send(Hchan(), 1))


@pytest.mark.schedseeds
@pytest.mark.parametrize("receive", [_recv1, _recv2, _recv3])
@pytest.mark.parametrize("transmit", [_send1, _send2, _send3])
def test_every_form_of_send_meets_every_form_of_receive(transmit, receive):
    """Go test/chan/select7.go, in both orders."""
    ch = Hchan()
    for first, second in (transmit, receive), (receive, transmit):
        t = spawn(first, ch)
        runtime.Gosched()
        second(ch)
        t.join()
        assert idle(ch)


@pytest.mark.schedseeds
def test_a_losing_case_does_not_take_its_channel_with_it():
    """Go test/chan/select6.go: the queue is whole after a select has left the middle of it."""
    a, b, c = Hchan(), Hchan(), Hchan()

    def second():
        if select(a, b)[0] == 1:
            c.send(True)
        a.recv()

    ts = [parked(a.recv, state="chan receive"), parked(second, state="select"), spawn(b.send, True)]
    assert c.recv() is True
    a.send(True)
    a.send(True)
    for t in ts:
        t.join()
    assert idle(a, b, c)


@pytest.mark.schedseeds
def test_the_value_of_a_send_is_kept_until_it_is_received():
    """Go test/chan/select4.go and select5.go in spirit: arguments are evaluated once, before the wait."""
    log = []

    def note(x):
        log.append(x)
        return x

    ch = Hchan()
    t = parked(lambda: select(send(note(ch), note("v")), recv(note(None))), state="select")
    assert log == [ch, "v", None]
    assert ch.recv() == "v"
    assert t.join() == (0, None, False)
    assert log == [ch, "v", None]


def test_who_waits_in_a_select_does_not_run():
    """Nothing is looked at again and again: no switch while nothing happens."""
    a, b = Hchan(), Hchan()
    tasks = [parked(select, a, send(b, 0), state="select") for _ in range(5)]
    before = sum(p.schedtick for p in sched.allp)
    timeSleep(0.05)
    assert sum(p.schedtick for p in sched.allp) - before <= 5  # main's own sleep
    for _ in tasks:
        a.send(1)
    assert [t.join() for t in tasks] == [(0, 1, True)] * 5
