"""Bubbles: their clock, what counts as blocked, deadlocks, and what they keep out."""

from __future__ import annotations

import random
import re

import pytest

import runtime
from gonet import chan, context, go, recv, select, send, sync, time
from gonet.testing import synctest
from runtime.gmp import sched
from runtime.proc import getg, inject
from runtime.sema import Sema, semacquire, semrelease
from tests.helpers import Thread, child, connected, runs, spawn, until, until_dead, until_state

pytestmark = pytest.mark.usefixtures("nothing_left_over")

BLOCKED = "deadlock: all goroutines in bubble are blocked"
REMAIN = "deadlock: main bubble goroutine has exited but blocked goroutines remain"


@pytest.fixture(autouse=True)
def no_bubble_left():
    yield
    assert sched.bubbles == 0
    assert getg().bubble is None and not getg().durable


def bubble(fn):
    """A decorator: run it in a bubble, now."""
    return synctest.Test(fn)


# ---- the clock


@pytest.mark.schedseeds
def test_sleeps_take_no_time_and_last_as_long_as_they_say():
    def body():
        start = time.Now()
        for d in (1.0, 3600.0, 0.25, time.Nanosecond, 1e6):
            before = time.Now()
            time.Sleep(d)
            assert time.Now() - before == pytest.approx(d, abs=1e-9)
        return time.Since(start)

    assert synctest.Test(body) == pytest.approx(1.0 + 3600 + 0.25 + 1e6)


def test_it_starts_at_the_same_instant_in_every_bubble():
    def body():
        now = time.Now()
        time.Sleep(5)
        return now

    assert synctest.Test(body) == synctest.Test(body) > 0


def test_outside_time_goes_on_as_it_does():
    before = time.Now()
    synctest.Test(lambda: time.Sleep(1e9))
    assert before <= time.Now() < before + 1e6


@pytest.mark.schedseeds
def test_sleepers_wake_in_the_order_of_their_instants():
    def body():
        start, log = time.Now(), []
        for d in (3, 1, 2, 5, 4):
            go(lambda d=d: (time.Sleep(d), log.append((d, time.Since(start)))))
        time.Sleep(10)
        return log

    assert synctest.Test(body) == [(d, float(d)) for d in (1, 2, 3, 4, 5)]


@pytest.mark.schedseeds
def test_it_stands_still_while_somebody_can_run():
    def body():
        start, turns = time.Now(), []

        def spins():
            for _ in range(1000):
                turns.append(time.Since(start))
                runtime.Gosched()

        go(spins)
        time.Sleep(1)
        assert len(turns) == 1000 and set(turns) == {0.0}

    synctest.Test(body)


def test_random_sleeps_agree_with_arithmetic():
    seed = random.randrange(1 << 30)
    print("seed", seed)
    rnd = random.Random(seed)
    plans = [[rnd.randrange(1, 10**9) for _ in range(rnd.randrange(1, 20))] for _ in range(100)]

    def body():
        start, ends = time.Now(), {}

        def work(i):
            for ns in plans[i]:
                time.Sleep(ns / 1e9)
            ends[i] = round(time.Since(start) * 1e9)

        for i in range(len(plans)):
            go(work, i)
        synctest.Wait()
        assert not ends
        time.Sleep(20)
        return ends

    assert synctest.Test(body) == {i: sum(plan) for i, plan in enumerate(plans)}


def test_timers_and_tickers():
    def body():
        start, log = time.Now(), []
        t = time.AfterFunc(5, lambda: log.append(("after", time.Since(start))))
        stopped = time.AfterFunc(4, lambda: log.append("stopped"))
        ticker = time.NewTicker(2)
        timer = time.NewTimer(3)
        assert stopped.Stop()
        for _ in range(3):
            i, v, ok = select(ticker.C, timer.C)
            log.append((i, v - start))
        assert timer.Reset(10) is False
        ticker.Stop()
        assert timer.C.recv() - start == 14.0
        assert time.After(1).recv() - start == 15.0
        assert not t.Stop()
        return log

    # at 2, 3 and 4 main receives, at 5 the function runs
    assert synctest.Test(body) == [(0, 2.0), (1, 3.0), (0, 4.0), ("after", 5.0)]


def test_a_ticker_ticks_as_often_as_it_should():
    def body():
        ticker, n = time.NewTicker(0.001), 0
        end = time.After(10.0005)
        while True:
            i, _, _ = select(ticker.C, end)
            if i == 1:
                ticker.Stop()
                return n
            n += 1

    assert synctest.Test(body) == 10_000


def test_a_stopped_timer_does_not_move_the_clock():
    def body():
        start = time.Now()
        for _ in range(200):
            time.AfterFunc(3600, int).Stop()
        time.Sleep(1)
        assert time.Since(start) == 1.0
        t = time.NewTimer(5)
        t.Reset(10)
        assert t.C.recv() - start == 11.0

    synctest.Test(body)


@pytest.mark.schedseeds
def test_the_timeout_of_a_context():
    def body():
        ctx, cancel = context.WithTimeout(context.Background(), 5)
        time.Sleep(5 - time.Nanosecond)
        synctest.Wait()
        assert ctx.Err() is None
        time.Sleep(time.Nanosecond)
        synctest.Wait()
        assert isinstance(ctx.Err(), context.DeadlineExceeded)
        cancel()

    synctest.Test(body)


@pytest.mark.schedseeds
def test_the_function_that_follows_a_context():
    def body():
        called = []
        ctx, cancel = context.WithCancel(context.Background())
        context.AfterFunc(ctx, lambda: called.append(1))
        synctest.Wait()
        assert not called
        cancel()
        synctest.Wait()
        assert called

    synctest.Test(body)


# ---- Wait


@pytest.mark.schedseeds
def test_wait_lets_all_others_come_to_rest():
    def body():
        c, log = chan(), []

        def work():
            log.append("started")
            go(lambda: log.append("child"))
            runtime.Gosched()
            log.append(c.recv())
            time.Sleep(1)
            log.append("slept")

        go(work)
        synctest.Wait()
        assert sorted(log) == ["child", "started"]
        c.send("sent")
        synctest.Wait()
        assert log[2:] == ["sent"]
        time.Sleep(1)
        synctest.Wait()
        assert log[3:] == ["slept"]

    synctest.Test(body)


def test_wait_alone_returns():
    synctest.Test(lambda: [synctest.Wait() for _ in range(3)])


def test_wait_runs_what_is_due_first():
    def body():
        log = []
        time.AfterFunc(0, lambda: log.append(1))
        synctest.Wait()
        assert log == [1]

    synctest.Test(body)


def test_wait_outside_is_refused():
    with pytest.raises(runtime.Error, match="^goroutine is not in a bubble$"):
        synctest.Wait()


def test_two_waits_at_once_are_refused():
    def body():
        errors = []

        def waits():
            try:
                synctest.Wait()
            except runtime.Error as e:
                errors.append(str(e))

        gs = [go(waits) for _ in range(3)]
        time.Sleep(1)
        assert all(g.state() == "dead" for g in gs)
        return errors

    assert synctest.Test(body) == ["wait already in progress"] * 2


def test_an_exception_ends_a_wait_and_another_can_follow():
    class Stop(Exception):
        pass

    def body():
        c, caught = chan(), []

        def waits():
            try:
                synctest.Wait()
            except Stop:
                caught.append(1)

        g = go(waits)
        go(lambda: (runtime.Gosched(), inject(g, Stop())))
        time.Sleep(1)
        synctest.Wait()
        go(waits)
        time.Sleep(1)
        assert caught == [1]
        c.close()

    synctest.Test(body)


# ---- what is durable


def held_up(start_waiting, end_waiting):
    """A bubble with one goroutine that sleeps and one that waits for something outside: the clock must not move.

    start_waiting() is called in the bubble and returns when end_waiting() was called outside; the reading of the
    clock at that moment is returned.
    """
    waiting, readings = [], []

    def body():
        start = time.Now()

        def waits():
            waiting.append(getg())
            start_waiting()
            readings.append(time.Since(start))

        go(waits)
        time.Sleep(3600)
        assert time.Since(start) == 3600.0

    t = spawn(synctest.Test, body)
    until(lambda: waiting and waiting[0].state() not in ("running", "runnable"))
    sleeper = waiting[0].parentgoid
    assert f"goroutine {sleeper} [sleep (durable), synctest bubble " in runtime.Stack(True)
    time.Sleep(0.002)
    assert not t.done and not readings
    end_waiting()
    t.join()
    return readings


def test_a_channel_from_outside_is_not_durable():
    c = chan()
    assert held_up(c.recv, lambda: c.send(1)) == [0.0]
    assert held_up(lambda: c.send(1), c.recv) == [0.0]


def test_a_select_with_a_channel_from_outside_is_not_durable():
    c = chan()
    assert held_up(lambda: select(chan(), c, None), lambda: c.send(1)) == [0.0]


def test_a_semaphore_is_not_durable():
    s = Sema()
    assert held_up(lambda: semacquire(s), lambda: semrelease(s)) == [0.0]


def test_input_is_not_durable():
    with connected() as (a, b):
        assert held_up(lambda: a.Read(bytearray(1)), lambda: b.Write(b"x")) == [0.0]


def test_a_syscall_is_not_durable():
    import threading

    e = threading.Event()
    assert held_up(lambda: runtime.Syscall(e.wait), e.set) == [0.0]


@pytest.mark.parametrize(
    "wait",
    [
        pytest.param(lambda: chan().recv(), id="receive"),
        pytest.param(lambda: chan().send(1), id="send"),
        pytest.param(lambda: select(chan(), send(chan(), 1), None), id="select"),
        pytest.param(lambda: select(), id="select without cases"),
        pytest.param(lambda: select(None), id="nil channel"),
        pytest.param(lambda: select(send(None, 1)), id="send on nil channel"),
        pytest.param(lambda: select(None, None), id="nil channels"),
        pytest.param(lambda: time.Sleep(2), id="sleep"),
    ],
)
def test_these_are_durable(wait):
    def body():
        g = go(wait)
        synctest.Wait()
        assert g.durable
        time.Sleep(1)
        from runtime.panic import GoexitException

        inject(g, GoexitException())

    synctest.Test(body)


# ---- how it ends


def test_the_result_is_returned_and_arguments_are_passed():
    assert synctest.Test(lambda *args, **kwargs: (args, kwargs), 1, 2, x=3) == ((1, 2), {"x": 3})
    assert synctest.Run is synctest.Test


def test_it_returns_when_the_last_goroutine_has_ended():
    log = []

    def body():
        c = chan()

        def work(n):
            if n:
                go(work, n - 1)
                runtime.Gosched()
            log.append(n)
            c.send(n)

        go(work, 5)
        for _ in range(6):
            c.recv()

    synctest.Test(body)
    assert sorted(log) == list(range(6))


def test_the_exception_is_raised_with_its_traceback():
    class Failed(Exception):
        pass

    def body():
        time.Sleep(1)
        raise Failed

    with pytest.raises(Failed) as e:
        synctest.Test(body)
    assert "body" in [entry.name for entry in e.traceback]


def test_a_failed_assertion_fails_the_test_that_runs_the_bubble():
    with pytest.raises(AssertionError, match="the reason"):
        synctest.Test(lambda: pytest.fail("the reason") if 0 else exec("assert False, 'the reason'"))
    with pytest.raises(pytest.fail.Exception, match="the reason"):
        synctest.Test(lambda: pytest.fail("the reason"))


def test_goexit_ends_it_like_a_return():
    assert synctest.Test(runtime.Goexit) is None


@pytest.mark.parametrize("fn", [None, 5, "x"])
def test_what_is_not_callable_is_refused(fn):
    with pytest.raises(TypeError, match="synctest.Run: .* object is not callable"):
        synctest.Test(fn)


def test_a_bubble_in_a_bubble_is_refused():
    def body():
        with pytest.raises(runtime.Error, match="^synctest.Run called from within a synctest bubble$"):
            synctest.Test(int)

    synctest.Test(body)


@pytest.mark.schedseeds
def test_a_deadlock_is_raised_with_where_everybody_is():
    ended = []

    def waits(c):
        try:
            c.recv()
        finally:
            ended.append(1)

    def body():
        c = chan()
        for _ in range(3):
            go(waits, c)
        waits(c)

    with pytest.raises(runtime.Error) as e:
        synctest.Test(body)
    words, *blocks = str(e.value).rstrip().split("\n\n")
    assert words == BLOCKED
    assert len(blocks) == 4
    for block in blocks:
        assert re.match(r"goroutine \d+ \[chan receive \(durable\), synctest bubble \d+\]:\n", block), block
        assert ", in waits\n" in block
    assert ended == [1] * 4


@pytest.mark.schedseeds
def test_those_who_are_left_when_it_has_returned_are_a_deadlock():
    ended = []

    def waits():
        try:
            time.Sleep(1)
        finally:
            ended.append(1)

    with pytest.raises(runtime.Error, match=f"^{REMAIN}\n\ngoroutine "):
        synctest.Test(lambda: go(waits))
    assert ended == [1]


def test_its_own_exception_comes_before_a_deadlock():
    def body():
        go(chan().recv)
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        synctest.Test(body)


def test_finally_blocks_that_wait_for_each_other_are_run():
    log = []

    def body():
        c = chan()

        def a():
            try:
                chan().recv()
            finally:
                log.append(c.recv())

        def b():
            try:
                chan().recv()
            finally:
                c.send("sent")

        go(a), go(b)

    with pytest.raises(runtime.Error, match=REMAIN):
        synctest.Test(body)
    assert log == ["sent"]


def test_with_gotraceback_none_a_deadlock_is_words_alone():
    program = f"""
        from gonet import chan
        from gonet.testing import synctest
        try:
            synctest.Test(lambda: chan().recv())
        except runtime.Error as e:
            say(str(e) == "{BLOCKED}")
    """
    assert runs(program, env={"GOTRACEBACK": "none"}) == "True\n"


def test_nothing_of_it_happens_afterwards():
    log = []

    def body():
        time.AfterFunc(1, lambda: log.append("timer"))
        go(lambda: (time.Sleep(0.0001), log.append("goroutine")))

    with pytest.raises(runtime.Error, match=REMAIN):
        synctest.Test(body)
    time.Sleep(0.002)
    assert log == []


def test_an_uncaught_exception_of_another_goroutine_goes_to_the_hook():
    told = []
    old = runtime.SetPanicHook(lambda g, exc: told.append((type(exc), g.bubble is not None)))
    try:
        synctest.Test(lambda: (go(lambda: 1 / 0), time.Sleep(1)))
    finally:
        runtime.SetPanicHook(old)
    assert told == [(ZeroDivisionError, True)]


def test_an_exit_from_within_ends_the_program():
    program = """
        from gonet.testing import synctest
        sched.sysmonstarted = True  # no monitor: it sets preempt too, when somebody has run for 10 ms
        def body():
            go(sys.exit, 7)
            gtime.Sleep(1)
            say("not reached")
        try:
            synctest.Test(body)
        finally:
            say(sched.bubbles, sched.preempt)
    """
    assert runs(program, status=7) == "0 False\n"


def test_an_interrupt_ends_it_and_leaves_nothing_behind():
    program = """
        from gonet import chan
        from gonet.testing import synctest
        sched.sysmonstarted = True  # no monitor: it sets preempt too, when somebody has run for 10 ms
        outside = chan()
        def body():
            go(outside.recv)
            go(gtime.Sleep, 5)
            gtime.Sleep(10)
        def interrupts():
            until(lambda: runtime.NumGoroutine() == 4 and sched.m0.blocked)  # all are parked
            os.kill(os.getpid(), signal.SIGINT)
        threading.Thread(target=interrupts).start()
        try:
            synctest.Test(body)
        except KeyboardInterrupt:
            until(lambda: runtime.NumGoroutine() == 1)
            say("interrupted", sched.bubbles, sched.preempt)
        say(synctest.Test(lambda: gtime.Sleep(1)))
    """
    assert runs(program) == "interrupted 0 False\nNone\n"


def test_a_deadlock_of_the_whole_program_is_raised_by_it():
    """Who waits for a semaphore is not durably blocked, so it is not the bubble that is deadlocked."""
    program = """
        from gonet.testing import synctest
        def body():
            go(gtime.Sleep, 5)
            semacquire(Sema())
        try:
            synctest.Test(body)
        except runtime.Error as e:
            say(str(e).splitlines()[0])
            until(lambda: runtime.NumGoroutine() == 1)
            say(str(e).count("synctest bubble 1]:"), "[synctest.Run (durable), " in str(e))
    """
    assert runs(program) == "all goroutines are asleep - deadlock!\n3 True\n"


# ---- who belongs to it, and who does not


def test_what_a_timer_starts_belongs_to_it():
    def body():
        b, seen = getg().bubble, []
        time.AfterFunc(1, lambda: seen.append(getg().bubble is b))
        go(lambda: go(lambda: seen.append(getg().bubble is b)))
        time.Sleep(2)
        return seen

    assert synctest.Test(body) == [True, True]


def test_bubbles_side_by_side_have_their_own_clocks():
    def body(d):
        start, log = time.Now(), []
        for _ in range(10):
            time.Sleep(d)
            log.append(time.Since(start))
            runtime.Gosched()
        return log

    ts = [spawn(synctest.Test, body, d) for d in (1, 2, 3)]
    assert [t.join() for t in ts] == [[float(d * i) for i in range(1, 11)] for d in (1, 2, 3)]


def test_others_go_on_beside_it():
    """Goroutines outside that are never at rest do not hold up its clock."""
    stop = []

    def spins():
        while not stop:
            runtime.Gosched()

    g = go(spins)
    synctest.Test(lambda: [time.Sleep(100) for _ in range(100)])
    stop.append(1)
    until_dead(g)


@pytest.mark.parametrize(
    "use, words",
    [
        (lambda c: c.send(1), "send on"),
        (lambda c: c.recv(), "receive on"),
        (lambda c: c.recv2(), "receive on"),
        (lambda c: next(c), "receive on"),
        (lambda c: c.close(), "close of"),
        (lambda c: select(c), "select on"),
        (lambda c: select(send(c, 1), default=True), "select on"),
        (lambda c: select(None, recv(c)), "select on"),
    ],
    ids=["send", "recv", "recv2", "next", "close", "select", "select send", "select recv"],
)
def test_its_channels_are_not_for_others(use, words):
    made, done = [], chan(1)

    def body():
        made.append(chan(1))
        done.recv()

    t = spawn(synctest.Test, body)
    until(lambda: made)
    with pytest.raises(runtime.Error, match=f"^{words} synctest channel from outside bubble$"):
        use(made[0])
    with pytest.raises(runtime.Error, match=f"^{words} synctest channel from outside bubble$"):
        synctest.Test(use, made[0])
    done.send(1)
    t.join()


def test_channels_from_outside_work_within():
    c, d = chan(), chan(5)

    def body():
        for i in range(5):
            d.send(c.recv() + i)
        d.close()

    t = spawn(synctest.Test, body)
    for i in range(5):
        c.send(10 * i)
    assert list(d) == [0, 11, 22, 33, 44]
    t.join()


def test_deadlines_of_connections_pass_in_real_time():
    with connected() as (a, b):

        def body():
            a.SetReadDeadline(time.Now() + 0.02)
            with pytest.raises(TimeoutError):
                a.Read(bytearray(1))
            a.SetReadDeadline(time.Now() - 1)
            with pytest.raises(TimeoutError):
                a.Read(bytearray(1))
            a.SetReadDeadline(time.Now() + 3600)
            b.Write(b"x")
            assert a.Read(bytearray(5)) == 1
            a.SetReadDeadline(0)
            return time.Now()

        assert synctest.Test(body) == synctest.Test(time.Now)


def test_from_a_thread():
    def body():
        c = chan()
        go(lambda: (time.Sleep(3), c.send(getg().bubble.id)))
        return c.recv() == getg().bubble.id, time.Now()

    same, now = Thread(synctest.Test, body).join()
    assert same and now == synctest.Test(time.Now) + 3


def test_a_goroutine_in_it_is_shown_as_such():
    def body():
        g = go(time.Sleep, 5)
        synctest.Wait()
        text = runtime.Stack(True)
        n = getg().bubble.id
        assert text.startswith(f"goroutine {getg().goid} [running, synctest bubble {n}]:")
        assert f"goroutine {g.goid} [sleep (durable), synctest bubble {n}]:" in text
        assert f"[synctest.Run (durable), synctest bubble {n}]:" in text
        time.Sleep(5)

    synctest.Test(body)


def test_a_child_of_a_fork_has_real_time():
    program = """
        from gonet.testing import synctest
        def body():
            r, w = os.pipe()
            pid = os.fork()
            if not pid:
                before = time.monotonic()
                gtime.Sleep(0.02)
                ok = time.monotonic() - before >= 0.02 and abs(gtime.Now() - time.monotonic()) < 10
                os._exit(0 if ok else 1)
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        say(synctest.Test(body))
    """
    assert runs(program) == "0\n"


@pytest.mark.limit(300)
@pytest.mark.parametrize("procs", ["1", "4"])
def test_many_goroutines_that_talk_and_sleep(procs):
    """The sum of what they sleep is right though they run on several threads."""
    program = """
        import random
        from gonet import chan, select
        from gonet.testing import synctest
        sys.setswitchinterval(1e-5)
        def body(rnd):
            start, c, results = gtime.Now(), chan(), chan(100)
            def worker(n):
                slept = 0
                for _ in range(n):
                    ms = c.recv()
                    gtime.Sleep(ms / 1000)
                    slept += ms
                results.send((slept, gtime.Since(start)))
            for _ in range(20):
                go(worker, 10)
            total = 0
            for _ in range(200):
                ms = rnd.randrange(1, 1000)
                c.send(ms)
                total += ms
            got = [results.recv() for _ in range(20)]
            assert sum(s for s, _ in got) == total
            assert all(s / 1000 <= t + 1e-6 for s, t in got)
            synctest.Wait()
            ticks = []
            t = gtime.NewTicker(1)
            for _ in range(20):
                ticks.append(t.C.recv())
            t.Stop()
            assert all(abs(b - a - 1) < 1e-6 for a, b in zip(ticks, ticks[1:]))
            return round(gtime.Since(start), 6)
        for seed in range(20):
            synctest.Test(body, random.Random(seed))
        say("done", sched.bubbles, runtime.NumGoroutine())
    """
    assert runs(program, env={"GOMAXPROCS": procs}, limit=120) == "done 0 1\n"


def test_one_seed_one_course():
    """With GODEBUG=schedseed a bubble that sleeps is as repeatable as one that does not."""
    program = """
        from gonet import chan, select, send
        from gonet.testing import synctest
        log = []
        def body():
            c = chan()
            def work(i):
                for step in range(5):
                    gtime.Sleep(0.001 * ((i * step) % 3))
                    select(c, gtime.After(0.001))
                    log.append((i, step))
            for i in range(6):
                go(work, i)
            for _ in range(20):
                gtime.Sleep(0.0005)
                select(send(c, 1), gtime.After(0.002))
            gtime.Sleep(1)
        synctest.Test(body)
        say(log)
    """
    outputs = [{runs(program, env={"GODEBUG": f"schedseed={n}"}) for _ in range(3)} for n in (1, 2)]
    assert [len(o) for o in outputs] == [1, 1]
    assert outputs[0] != outputs[1]


def test_wakers_from_outside_do_not_confuse_it():
    """Signal handlers and threads end waits that count as durable."""
    program = """
        from gonet import chan
        from gonet.testing import synctest
        from runtime.proc import inject
        class Poke(Exception): pass
        over, pokes = [], [0]
        def body():
            start = gtime.Now()
            gs = []
            def sleeper():
                for _ in range(100):
                    try:
                        gtime.Sleep(1)
                    except Poke:
                        pokes[0] += 1
            gs = [go(sleeper) for _ in range(5)]
            def thread():
                i = 0
                while not over:
                    inject(gs[i % 5], Poke())
                    i += 1
                    time.sleep(0.0001)
            t = threading.Thread(target=thread)
            t.start()
            for g in gs:
                while g.state() != "dead":
                    try:
                        gtime.Sleep(1)
                    except Poke:
                        pass
            over.append(1)
            t.join()
        for _ in range(5):
            over.clear()
            synctest.Test(body)
        say(sched.bubbles, runtime.NumGoroutine(), pokes[0] > 0)
    """
    r = child(program, limit=60)
    assert r.returncode == 0 and r.stdout == "0 1 True\n", r.stdout + r.stderr


def test_until_state_sees_bubbled_goroutines_in_gos_words():
    c, gs = chan(), []

    def body():
        gs.append(go(lambda: chan().recv()))
        c.recv()

    t = spawn(synctest.Test, body)
    until(lambda: gs)
    until_state(gs[0], "chan receive")
    c.send(1)
    with pytest.raises(runtime.Error, match=REMAIN):
        t.join()


# ---- sync


@pytest.mark.schedseeds
def test_a_wait_group_counted_in_the_bubble_is_durable():
    wg = sync.WaitGroup()  # made outside: it counts who adds

    def body():
        start = time.Now()
        for d in (1, 2, 3):
            wg.Go(time.Sleep, d)
        wg.Wait()
        return time.Since(start)

    assert synctest.Test(body) == 3.0
    assert synctest.Test(body) == 3.0


def test_a_wait_group_counted_outside_is_not_durable():
    wg = sync.WaitGroup()
    wg.Add(1)
    assert held_up(wg.Wait, wg.Done) == [0.0]


def test_a_wait_group_is_not_counted_inside_and_outside():
    words = "^sync: WaitGroup.Add called from inside and outside synctest bubble$"
    wg, hold = sync.WaitGroup(), chan()
    wg.Add(1)

    def inside():
        with pytest.raises(runtime.Error, match=words):
            wg.Add(1)

    synctest.Test(inside)
    wg.Done()

    def counts():
        wg.Add(1)
        hold.recv()
        wg.Done()

    t = spawn(synctest.Test, counts)
    until(lambda: wg.bubble is not None)
    with pytest.raises(runtime.Error, match=words):
        wg.Add(1)
    with pytest.raises(runtime.Error, match="^sync: WaitGroup.Add called from multiple synctest bubbles$"):
        synctest.Test(wg.Add, 1)
    hold.send(1)
    t.join()
    wg.Add(1)
    wg.Done()


@pytest.mark.schedseeds
def test_a_condition_variable_is_durable():
    def body():
        cond, ready = sync.Cond(sync.Mutex()), []

        def waits():
            with cond.L:
                while not ready:
                    cond.Wait()

        gs = [go(waits) for _ in range(3)]
        synctest.Wait()
        assert all(g.durable for g in gs)
        time.Sleep(5)
        with cond.L:
            ready.append(1)
        cond.Broadcast()
        synctest.Wait()
        assert all(g.state() == "dead" for g in gs)

    synctest.Test(body)


def test_a_mutex_is_not_durable():
    mu = sync.Mutex()
    mu.Lock()
    assert held_up(lambda: (mu.Lock(), mu.Unlock()), mu.Unlock) == [0.0]
    rw = sync.RWMutex()
    rw.Lock()
    assert held_up(lambda: (rw.RLock(), rw.RUnlock()), rw.Unlock) == [0.0]


@pytest.mark.schedseeds
def test_a_mutex_within_does_not_stop_the_clock_for_good():
    def body():
        mu, log = sync.Mutex(), []

        def work(i):
            with mu:
                runtime.Gosched()
                log.append(i)
            time.Sleep(1)

        for i in range(5):
            go(work, i)
        time.Sleep(2)
        return sorted(log)

    assert synctest.Test(body) == list(range(5))


@pytest.mark.parametrize("use", ["Stop", "Reset"])
def test_its_timers_are_not_for_others(use):
    made, done = [], chan()

    def body():
        made.extend([time.NewTimer(5), time.AfterFunc(5, int), time.NewTicker(5)])
        done.recv()

    t = spawn(synctest.Test, body)
    until(lambda: made)
    for x in made:
        with pytest.raises(runtime.Error, match=f"^{use.lower()} of synctest timer from outside bubble$"):
            getattr(x, use)(*[1] * (use == "Reset"))
    done.send(1)
    t.join()


@pytest.mark.parametrize("make", [lambda: time.NewTimer(5), lambda: time.AfterFunc(5, int), lambda: time.NewTicker(5)])
def test_its_timers_are_of_no_use_when_it_has_ended(make):
    t = synctest.Test(make)
    with pytest.raises(runtime.Error, match="^stop of synctest timer from outside bubble$"):
        t.Stop()
    with pytest.raises(runtime.Error, match="^reset of synctest timer from outside bubble$"):
        t.Reset(1)
    synctest.Test(t.Stop)
    with pytest.raises(runtime.Error, match="^reset of synctest timer from outside bubble$"):
        synctest.Test(t.Reset, 1)  # by whose clock?


def test_a_timer_that_is_due_when_it_is_started_fires_at_once():
    @bubble
    def body():
        def got(t):
            return select(t.C, default=True)[0] == 0

        t = time.NewTimer(0)
        assert got(t) and not t.Stop()
        assert not t.Reset(-1) and got(t)
        called = chan(9)
        t = time.AfterFunc(0, lambda: called.send(1))
        assert not t.Stop() and not t.Reset(0) and not t.Stop()
        synctest.Wait()
        assert len(called) == 2
        t = time.NewTimer(1)
        assert t.Reset(0) and t.Reset(0) and t.Stop() and not got(t)  # it has its place among the others
        assert time.Now() == time.NewTimer(0).C.recv()


@pytest.mark.parametrize("d", [0, 1])
def test_a_timer_may_be_started_by_the_function_of_another(d):
    @bubble
    def body():
        called = chan(3)

        def again():
            called.send(time.Now())
            if len(called) < 3:
                t[0].Reset(d)

        t = [time.AfterFunc(d, again)]
        time.Sleep(3)
        start = time.Now() - 3
        assert [called.recv() - start for _ in range(3)] == [n * d for n in ((0, 0, 0), (1, 2, 3))[d]]
