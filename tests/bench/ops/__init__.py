"""What one operation of a runtime costs: `python -m tests.bench.ops.NAME` prints a line of JSON.

With `--seconds S` each operation is repeated for about S seconds; all are in ns of the process's CPU time:

    round_trip_ns       a value to another goroutine and one back, through two unbuffered channels
    buffered_ns         a value put into a buffered channel and taken out again, by one goroutine
    stream_ns           one of many values through a channel with a buffer of 16, from one goroutine to another
    select_ns           select of two channels, one of which is ready; and making it ready
    select_wait_ns      select of two channels for which another goroutine sends, one value at a time
    mutex_ns            Lock and Unlock, uncontended
    gosched_ns          giving way to another goroutine, one of two that do nothing else
    timer_ns            a timer started for an hour ahead and stopped
    deadline_ns         the deadline of a connection's reads set to an hour from now, as before every read

With `--crowd N` instead, N goroutines at once, in a process of their own since what one crowd leaves allocated the next
would find; `--state` says which:

    parked      kb: resident memory each, when all wait on one channel; wake_ns: closing it and having all end, each;
                spawn_ns: one that is started and joined before the next is started
    unstarted   kb_unstarted: resident memory each, when all have been started and none has run

Every program says what it puts in the place of something that its library does not have.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import Protocol

WINDOWS = 5
SINGLE = 20_000
"""So many goroutines are started and joined one by one, or as many as the crowd has if that is fewer."""

Repeat = Callable[[int], None]
"""Does the operation as often as it is told to."""


class Crowd(Protocol):
    """N goroutines at once, made of what a library has."""

    def single(self, n: int) -> None:
        """Start and join n goroutines, one after the other."""

    def park(self, n: int) -> None:
        """Start n goroutines; return when all wait on one channel."""

    def wake(self, n: int) -> None:
        """Wake these n; return when all have ended."""

    def start(self, n: int) -> None:
        """Start n goroutines; return while none has run."""

    def finish(self, n: int) -> None:
        """Let these n run; return when all have ended."""


def report(ops: Mapping[str, Repeat], crowd: Crowd) -> None:
    """Measures what the command line asks for and prints it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=0.3, help="how long each operation is repeated")
    parser.add_argument("--crowd", type=int, help="measure so many goroutines at once instead")
    parser.add_argument("--state", choices=("parked", "unstarted"), default="parked")
    args = parser.parse_args()
    if args.crowd is None:
        print(json.dumps({f"{name}_ns": cost(repeat, args.seconds) for name, repeat in ops.items()}))
    elif args.state == "parked":
        print(json.dumps(_parked(crowd, args.crowd)))
    else:
        print(json.dumps(_unstarted(crowd, args.crowd)))


def cost(repeat: Repeat, seconds: float) -> float:
    """ns of CPU time of one operation: the median of several windows that take so many seconds together."""
    count = 16
    while (took := _took(repeat, count)) < seconds / WINDOWS / 8 * 1e9:
        count *= 2
    count = max(1, int(count * seconds / WINDOWS * 1e9 / took))
    return median(_took(repeat, count) / count for _ in range(WINDOWS))


def _took(repeat: Repeat, count: int) -> int:
    began = time.process_time_ns()
    repeat(count)
    return time.process_time_ns() - began


def _parked(crowd: Crowd, n: int) -> dict[str, float]:
    singles = min(n, SINGLE)
    crowd.single(singles // 10)
    spawn = median(_took(crowd.single, singles // WINDOWS) for _ in range(WINDOWS)) / (singles // WINDOWS)
    before = _resident()
    crowd.park(n)
    kb = (_resident() - before) / 1024 / n
    return {"kb": kb, "wake_ns": _took(crowd.wake, n) / n, "spawn_ns": spawn}


def _unstarted(crowd: Crowd, n: int) -> dict[str, float]:
    before = _resident()
    crowd.start(n)
    kb = (_resident() - before) / 1024 / n
    crowd.finish(n)
    return {"kb_unstarted": kb}


def _resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")
