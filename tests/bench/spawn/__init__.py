"""What a goroutine costs from start to end: `python -m tests.bench.spawn.NAME --seconds S` prints a line of JSON.

    batch_ns    1,000 are started, then all are awaited; CPU time of the process divided by how many they were
    single_ns   one is started and awaited, and then the next

What is started is a Python function (in Go a closure) that does nothing but what joining it needs.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

BATCH = 1000


def report(batch: Callable[[int], None], single: Callable[[int], None]) -> None:
    """Measures both functions, each of which starts and awaits as many as it is told to, and prints the result."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=1.0, help="how long each of the two is repeated")
    seconds = parser.parse_args().seconds
    print(json.dumps({"batch_ns": _cost(batch, seconds), "single_ns": _cost(single, seconds)}))


def _cost(fn: Callable[[int], None], seconds: float) -> float:
    for _ in range(3):
        fn(BATCH)
    done = 0
    began = time.process_time_ns()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        fn(BATCH)
        done += BATCH
    return (time.process_time_ns() - began) / done
