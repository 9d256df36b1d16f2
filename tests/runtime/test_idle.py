"""An M with nothing to run: when it must not sleep, and who takes its place in the poller.

What else ends the sleep is tested with its cause: descriptors in test_netpoll_epoll, timers in test_timesleep, signal
handlers in test_main and test_fork, the monitor in test_sysmon, finalizers in test_finalizers, a deadlock in
test_deadlock; wakep in test_mthread; injectglist in tests/gonet/poll/test_readahead.
"""

from __future__ import annotations

import pytest

import runtime
from gonet.time import Sleep
from tests.helpers import Thread, connected, runs

pytestmark = pytest.mark.usefixtures("nothing_left_over")


def test_what_is_queued_just_before_an_m_sleeps_keeps_it_awake():
    """It has looked whom to steal from, and does not sleep yet: who queues something then finds nobody to wake."""
    program = """
        from runtime.gmp import G, M, NetPoller, P
        from runtime.idle import idle
        from runtime.time import timers
        sched.gomaxprocs = 2  # as if there was another M: a real one would come to the poller below
        class Poller(NetPoller):
            __slots__ = ("polls",)
            def netpoll(self, delay):
                self.polls += 1
                return []
            def opensignals(self):
                return 0
        real, sched.poller = sched.poller, Poller()
        sched.poller.polls = 0
        mp, pp, other = M(), P(98, timers()), P(99, timers())
        mp.p, pp.m = pp, mp
        sched.allp.append(other)
        sched.iowitness = G()
        sched.iowitness.status, sched.iowitness.waitreason = 4, 1  # waits for I/O: no deadlock
        fresh, wired = G(), G()
        wired.m = mp
        for queue in [], [wired], [wired, fresh]:
            for gp in queue: other.runq.append(gp)
            sched.lastpoll = 0  # nor the monitor
            sched.poller.polls = 0
            idle(mp, pp)
            say(sched.poller.polls)
            while other.runq: other.runq.popleft()
        sched.allp.remove(other)
        sched.poller = real
        sched.lastpoll = 1
        sched.gomaxprocs = 1
    """
    assert runs(program) == "1\n1\n0\n"


def test_a_retired_m_leaves_the_poller_to_others():
    """Both wake at once, M 0 finds the poller taken and goes to sleep elsewhere, and then the other M ends."""
    program = """
        s = Sema()
        def stolen():
            semacquire(s)
        for i in range(50):
            runtime.GOMAXPROCS(2)
            g = go(stolen)
            while g.state() != "semacquire":
                time.sleep(0.001)
            gtime.Sleep(0.001)
            runtime.GOMAXPROCS(1)
            semrelease(s)
            until(lambda: len(sched.allm) == 1)
        say(runtime.NumGoroutine())
    """
    assert runs(program) == "1\n"


def test_the_poller_changes_hands_between_threads_and_main():
    """Now the one, now the other sleeps in the poller; nobody is forgotten in his sleep."""
    with connected() as (a, b):

        def thread():
            buf = bytearray(10)
            for _ in range(100):
                b.Read(buf)
                b.Write(b"pong")

        t = Thread(thread)
        buf = bytearray(10)
        for i in range(100):
            a.Write(b"ping")
            a.Read(buf)
            if i % 10 == 0:
                Sleep(0.0005)
        t.join()


@pytest.mark.skipif(runtime.compiled, reason="in the compiled form no other thread comes between the two")
def test_a_call_that_ends_while_it_keeps_the_look_for_a_deadlock_off_has_it_made_up_for():
    """The call was given up, so its end wakes nobody; and it ends between the look at it and the sleep."""
    program = """
        import runtime.idle
        from runtime.idle import addnsyscall
        class Seen:
            def __getattr__(self, name):
                value = getattr(sched, name)
                if name == "nsyscall" and value > 0:
                    runtime.idle.sched = sched
                    addnsyscall(-1)
                return value
            def __setattr__(self, name, value):
                setattr(sched, name, value)
        addnsyscall(1)
        runtime.idle.sched = Seen()
        try:
            semacquire(Sema())
        except runtime.Error as err:
            say(str(err).splitlines()[0])
    """
    assert runs(program) == "all goroutines are asleep - deadlock!\n"
