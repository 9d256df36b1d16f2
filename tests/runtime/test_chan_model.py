"""Channels and select against a model of them, over programs that hypothesis makes up.

Each step starts an operation in a goroutine of its own, closes a channel, or stops an operation that waits; then all
run until nobody can. The model says which operations have ended by then, and how. Where Go leaves the choice open (a
select with several cases ready, or several cases on one channel) the model takes over what was chosen, if it was right.
"""

from __future__ import annotations

import pytest

import runtime
from runtime.chan import Hchan
from runtime.proc import inject
from runtime.rand import cheapseed
from runtime.select import recv, select, send
from tests.helpers import Task

pytest.importorskip("hypothesis")

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

pytestmark = pytest.mark.usefixtures("nothing_left_over")

CHANNELS = 3


class Stop(Exception):
    pass


class Op:
    """An operation under way: its cases, (whether it sends, channel number) or None; and what is to come of it."""

    def __init__(self, number, cases):
        self.number = number
        self.cases = cases
        self.task = None
        self.ended = False
        self.want = None  # (the indices that may have been chosen, value, ok), or an exception

    def value(self, k):
        """What it sends on channel k, in whatever case."""
        return self.number * CHANNELS + k

    def indices(self, sends, k):
        return {i for i, case in enumerate(self.cases) if case == (sends, k)}


class Model:
    """A channel: what is in its buffer, and the Ops that wait, each once."""

    def __init__(self, cap):
        self.cap = cap
        self.buf = []
        self.closed = False
        self.recvq = []
        self.sendq = []

    def ready(self, sends):
        if sends:
            return self.closed or bool(self.recvq) or len(self.buf) < self.cap
        return self.closed or bool(self.sendq) or bool(self.buf)


class Channels(RuleBasedStateMachine):
    @initialize(
        caps=st.lists(st.integers(0, 3), min_size=CHANNELS, max_size=CHANNELS), seed=st.integers(0, 2**32 - 1)
    )
    def make(self, caps, seed):
        cheapseed(seed)
        self.real = [Hchan(cap) for cap in caps]
        self.model = [Model(cap) for cap in caps]
        self.ops = []
        self.count = 0

    # ---- the model

    def end(self, op, want):
        op.ended = True
        op.want = want
        for m in self.model:
            m.recvq = [o for o in m.recvq if o is not op]
            m.sendq = [o for o in m.sendq if o is not op]

    def do(self, op, sends, k):
        """op sends on or receives from channel k, which is ready for that."""
        m = self.model[k]
        mine = op.indices(sends, k)
        if sends:
            if m.closed:
                self.end(op, runtime.Error("send on closed channel"))
                return
            if m.recvq:
                other = m.recvq[0]
                self.end(other, (other.indices(False, k), op.value(k), True))
            else:
                m.buf.append(op.value(k))
            self.end(op, (mine, None, False))
            return
        value = m.buf.pop(0) if m.buf else None
        if m.sendq:
            other = m.sendq[0]
            if m.cap:
                m.buf.append(other.value(k))
            else:
                value = other.value(k)
            self.end(other, (other.indices(True, k), None, False))
        self.end(op, (mine, value, value is not None))

    def begin(self, op, default):
        """op has been started and has had its turn: what it did, if it was right to, happens in the model."""
        ready = {case for case in op.cases if case is not None and self.model[case[1]].ready(case[0])}
        if not ready:
            if default:
                self.end(op, ({-1}, None, False))
                return
            for case in op.cases:
                if case is not None:
                    m = self.model[case[1]]
                    q = m.sendq if case[0] else m.recvq
                    if op not in q:
                        q.append(op)
        elif len(ready) == 1:
            self.do(op, *ready.pop())
        elif op.task.exc is not None:
            self.do(op, *next(c for c in ready if c[0] and self.model[c[1]].closed))
        else:
            assert op.task.done, f"{op.cases} waits, though {ready} are ready"
            chosen = op.cases[op.task.value[0]]
            assert chosen in ready, f"got {op.task.value} of {op.cases}, want one of {ready}"
            self.do(op, *chosen)

    # ---- the steps

    def settle(self):
        for _ in range(4):
            runtime.Gosched()

    def start(self, cases, default, f):
        op = Op(self.count, cases)
        self.count += 1
        self.ops.append(op)
        op.task = Task(f, op)
        self.settle()
        self.begin(op, default)

    @rule(k=st.integers(0, CHANNELS - 1))
    def send(self, k):
        self.start([(True, k)], False, lambda op: (self.real[k].send(op.value(k)), (0, None, False))[1])

    @rule(k=st.integers(0, CHANNELS - 1), iterating=st.booleans())
    def recv(self, k, iterating):
        def f(op):
            if iterating:
                v = next(self.real[k], None)
                return 0, v, v is not None
            return (0, *self.real[k].recv2())

        self.start([(False, k)], False, f)

    @rule(
        cases=st.lists(st.none() | st.tuples(st.booleans(), st.integers(0, CHANNELS - 1)), max_size=6),
        default=st.booleans(),
        bare=st.booleans(),
    )
    def select(self, cases, default, bare):
        def real(op, case):
            if case is None:
                return None if bare else recv(None)
            sends, k = case
            ch = self.real[k]
            return send(ch, op.value(k)) if sends else ch if bare else recv(ch)

        self.start(cases, default, lambda op: select(*(real(op, case) for case in cases), default=default))

    @rule(k=st.integers(0, CHANNELS - 1))
    def close(self, k):
        m = self.model[k]
        if m.closed:
            with pytest.raises(runtime.Error, match="close of closed channel"):
                self.real[k].close()
            return
        self.real[k].close()
        m.closed = True
        for op in m.recvq.copy():
            self.end(op, (op.indices(False, k), None, False))
        for op in m.sendq.copy():
            self.end(op, runtime.Error("send on closed channel"))

    @rule(n=st.integers(0, 20))
    def stop(self, n):
        waiting = [op for op in self.ops if not op.ended]
        if waiting:
            op = waiting[n % len(waiting)]
            inject(op.task.g, Stop())
            self.end(op, Stop())

    # ---- what holds after each step

    @invariant()
    def operations_have_ended_as_they_should(self):
        self.settle()
        for op in self.ops:
            assert op.task.done == op.ended, f"{op.cases}: got ended={op.task.done}, want {op.want}"
            if not op.ended:
                continue
            if isinstance(op.want, Exception):
                assert (type(op.task.exc), str(op.task.exc)) == (type(op.want), str(op.want)), op.task.value
            else:
                assert op.task.exc is None
                i, v, ok = op.task.value
                assert i in op.want[0] and (v, ok) == op.want[1:], f"{op.cases}: got {(i, v, ok)}, want {op.want}"
        self.ops = [op for op in self.ops if not op.ended]

    @invariant()
    def the_channels_are_as_they_should_be(self):
        for real, m in zip(getattr(self, "real", ()), self.model if hasattr(self, "model") else ()):
            assert (len(real), real.closed, real.cap) == (len(m.buf), m.closed, m.cap)
            assert waiting(real.recvfirst, real.recvlast) == [op.task.g for op in m.recvq]
            assert waiting(real.sendfirst, real.sendlast) == [op.task.g for op in m.sendq]
            held = [] if real.buf is None else [real.buf[(real.recvx + i) % real.cap] for i in range(real.cap)]
            assert held == m.buf + [None] * (m.cap - len(m.buf))

    def teardown(self):
        for op in getattr(self, "ops", ()):
            if not op.task.done:
                inject(op.task.g, Stop())
        self.settle()


def waiting(first, last):
    """The goroutines in a queue, after a look at its links."""
    found = []
    before, sg = None, first
    while sg is not None:
        assert sg.prev is before
        found.append(sg.g)
        before, sg = sg, sg.next
    assert last is before
    return found


TestChannels = Channels.TestCase
TestChannels.settings = settings(
    max_examples=100 if runtime.compiled else 50,
    stateful_step_count=40,
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
