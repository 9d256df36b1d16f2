"""GODEBUG=schedseed: one seed, one course; many seeds, many courses."""

from __future__ import annotations

import pytest

import runtime
from runtime.gmp import sched
from runtime.proc import checkpreempt
from runtime.schedseed import setschedseed
from runtime.sema import Sema, semacquire, semrelease
from tests.helpers import connected, in_one_slice, readall, runs, spawn, until, until_dead

pytestmark = pytest.mark.usefixtures("nothing_left_over")


@pytest.fixture
def seed():
    """setschedseed, undone at the end."""
    yield setschedseed
    setschedseed(0)


def point():
    """What every operation that need not wait does."""
    if sched.preempt:
        checkpreempt()


def course(n=6, steps=5):
    """The order in which n goroutines take their steps, with every way of waiting and giving way."""
    log, s, done = [], Sema(), Sema()

    def work(i):
        for step in range(steps):
            log.append((i, step))
            if step == 1:
                runtime.Gosched()
            elif step == 2:
                semrelease(s)
                semacquire(s)
            elif step == 3 and i % 2:
                runtime.go(lambda: (log.append(i), semrelease(done)))
                semacquire(done)
            else:
                point()

    gs = [runtime.go(work, i) for i in range(n)]
    while any(g.state() != "dead" for g in gs):
        runtime.Gosched()
    return log


@pytest.mark.parametrize("n", range(1, 30))
def test_the_same_seed_gives_the_same_course(seed, n):
    seed(n)
    first = course()
    for _ in range(3):
        seed(n)
        assert course() == first


def test_other_seeds_give_other_courses(seed):
    courses = set()
    for n in range(1, 101):
        seed(n)
        courses.add(tuple(course()))
    assert len(courses) > 80


def test_every_course_is_complete(seed):
    want = sorted(course(), key=str)
    for n in range(1, 51):
        seed(n)
        assert sorted(course(), key=str) == want


@pytest.mark.parametrize("n", [-1, 1 << 70, -(1 << 70), 2**64 + 1])
def test_any_number_is_a_seed(seed, n):
    seed(n)
    first = course()
    seed(n)
    assert course() == first


PROGRAM = """
    log, s = [], Sema()
    def work(i):
        for step in range(4):
            log.append(i)
            if step % 2:
                semrelease(s)
                semacquire(s)
            else:
                runtime.Gosched()
    gs = [go(work, i) for i in range(8)]
    while any(g.state() != "dead" for g in gs):
        runtime.Gosched()
    say(*log)
"""


def test_it_is_set_by_godebug_and_programs_repeat_themselves():
    runs_of = {n: {runs(PROGRAM, env={"GODEBUG": f"schedseed={n}"}) for _ in range(3)} for n in (1, 2, 3)}
    assert all(len(outputs) == 1 for outputs in runs_of.values()), runs_of
    assert len({out for outputs in runs_of.values() for out in outputs}) == 3, runs_of


def test_a_lost_update_is_found_and_found_again(seed):
    """A bug that no plain run shows: between the look and the change another may come."""

    def buggy():
        count = [0]

        def work():
            n = count[0]
            point()
            count[0] = n + 1

        until_dead(*[runtime.go(work) for _ in range(2)])
        return count[0]

    assert in_one_slice(buggy) == 2
    found = []
    for n in range(1, 201):
        seed(n)
        if buggy() != 2:
            found.append(n)
    assert 10 < len(found) < 190, found
    for n in found[:10]:
        seed(n)
        assert buggy() == 1


def test_a_new_goroutine_goes_first_or_not(seed):
    orders = set()
    for n in range(1, 101):
        seed(n)
        log = []
        until_dead(*[runtime.go(log.append, i) for i in range(3)])
        orders.add(tuple(log))
    assert len(orders) == 6


def test_nobody_starves(seed):
    def spins(i, turns, stop):
        while not stop:
            turns[i] += 1
            runtime.Gosched()

    for n in range(1, 51):
        seed(n)
        turns, stop = [0] * 40, []
        gs = [runtime.go(spins, i, turns, stop) for i in range(40)]
        while min(turns) < 3:
            runtime.Gosched()
        stop.append(1)
        until_dead(*gs)


def test_at_a_point_some_give_way_and_some_do_not(seed):
    def gave_way():
        other = runtime.go(int)
        point()
        result = other.state() == "dead"
        until_dead(other)
        return result

    assert not all(gave_way() for _ in range(50))  # without a seed only one whose 10 ms are over
    outcomes = []
    for n in range(1, 51):
        seed(n)
        outcomes.append(gave_way())
    assert 3 < sum(outcomes) < 40


def test_the_monitor_leaves_it_alone(seed):
    seed(5)
    p = sched.m0.p
    tick, polls = p.sysmontick, set()
    runtime.Gosched()

    def monitored():
        runtime.Gosched()
        polls.add(p.sysmontick)
        return len(polls - {tick}) > 2

    until(monitored)
    assert sched.preempt and p.preempt


def test_turned_off_it_leaves_nothing_behind(seed):
    for _ in range(10):  # until the monitor has not come in between
        last = None
        while (plain := course()) != last:  # twice the same: in one slice
            last = plain
        seed(3)
        course()
        seed(0)
        assert not sched.seeded
        if sched.preempt or any(p.preempt for p in sched.allp):
            continue
        runtime.Gosched()
        if course() == plain:
            return
    pytest.fail("something is left")


def test_connections_work_under_it(seed):
    for n in range(1, 11):
        seed(n)
        with connected() as (a, b):

            def echo():
                buf = bytearray(100)
                while n := b.Read(buf):
                    b.Write(buf[:n])

            t = spawn(echo)
            for i in range(20):
                a.Write(bytes([i]) * 50)
                assert readall(a, 50) == bytes([i]) * 50
            a.Close()
            t.join()


def test_deadlocks_are_found_under_it():
    program = """
        for i in range(3):
            go(semacquire, Sema())
        try:
            semacquire(Sema())
        except runtime.Error as e:
            say(str(e).count("[semacquire]:"))
    """
    assert runs(program, env={"GODEBUG": "schedseed=4"}) == "4\n"


def test_sleeps_and_syscalls_work_under_it():
    program = """
        log = []
        def f(i):
            gtime.Sleep(0.001 * i)
            runtime.Syscall(time.sleep, 0.001)
            log.append(i)
        gs = [go(f, i) for i in range(10)]
        for g in gs:
            until_state(g, "dead")
        say(sorted(log))
    """
    assert runs(program, env={"GODEBUG": "schedseed=4"}) == f"{list(range(10))}\n"


def test_several_ps_work_under_it():
    program = """
        runtime.GOMAXPROCS(3)
        s, count = Sema(), []
        def f(i):
            for _ in range(10):
                semrelease(s)
                runtime.Gosched()
                semacquire(s)
            count.append(i)
        for round in range(10):
            gs = [go(f, i) for i in range(20)]
            for g in gs:
                until_state(g, "dead")
            runtime.GOMAXPROCS(1 + round % 3)
        say(len(count), s.count)
    """
    assert runs(program, env={"GODEBUG": "schedseed=9"}, limit=60) == "200 0\n"


def test_a_forked_child_goes_on_under_it():
    program = """
        pid = os.fork()
        log = []
        gs = [go(log.append, i) for i in range(20)]
        while len(log) < 20:
            runtime.Gosched()
        if not pid:
            os._exit(0 if sched.m0.p.preempt and log != sorted(log) else 1)
        say(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    """
    assert runs(program, env={"GODEBUG": "schedseed=2"}) == "0\n"


runs_seen = []


@pytest.mark.schedseeds
def test_marked_tests_run_under_many_seeds(request):
    runs_seen.append(sched.seeded)
    if request.config.getoption("--schedseed") is None and len(runs_seen) == 2:
        assert runs_seen == [False, True]


def test_and_they_have(request):
    only, n = request.config.getoption("--schedseed"), request.config.getoption("--schedseeds")
    if runs_seen:
        assert runs_seen == ([False] + [True] * n if only is None else [only != 0])
    assert not sched.seeded
