"""The bars: what gonet promises of itself against the others, each a number that a run either meets or does not."""

from __future__ import annotations

from dataclasses import dataclass

from .figures import Figures

AT_MOST, AT_LEAST = "at most", "at least"


@dataclass(frozen=True)
class Bar:
    """A ratio of `ours` to `theirs`, or, where `theirs` is None, a plain figure of `ours`."""

    claim: str
    scenario: str
    metric: str
    ours: str
    theirs: str | None
    sense: str
    limit: float
    unit: str = ""

    def measured(self, figures: Figures) -> float | None:
        """The figure that the bar is about; None when it was not measured."""
        if self.theirs is None:
            return figures.median(self.scenario, self.ours, self.metric)
        return figures.ratio(self.scenario, self.metric, self.ours, self.theirs)

    def met(self, value: float) -> bool:
        """Whether `value` is on the right side."""
        return value <= self.limit if self.sense == AT_MOST else value >= self.limit


def _echo(scenario: str, words: str) -> list[Bar]:
    return [
        Bar(f"CPU per message, {words}: gonet / Go", scenario, "cpu_us", "gonet", "go", AT_MOST, 1.0),
        Bar(f"CPU per message, {words}: gonet / uvloop", scenario, "cpu_us", "gonet", "uvloop", AT_MOST, 1.0),
        Bar(f"messages/s, {words}: gonet / gevent", scenario, "rate", "gonet", "gevent", AT_LEAST, 2.5),
        Bar(f"messages/s, {words}: uncompiled / gevent", scenario, "rate", "gonet-pure", "gevent", AT_LEAST, 1.5),
    ]


def _op(metric: str, words: str, limit: float = 0.2) -> Bar:
    return Bar(f"{words}: gonet / gevent", "ops", metric, "gonet", "gevent", AT_MOST, limit)


ALL = [
    *_echo("echo-100x64", "100 x 64 B"),
    *_echo("echo-1000x64", "1,000 x 64 B"),
    *_echo("echo-100x16k", "100 x 16 KB"),
    Bar("memory per idle connection, 10,000 of them", "idle-10000", "kb", "gonet", None, AT_MOST, 6.5, " KB"),
    Bar("messages/s of 10 busy beside them / alone", "idle-10000", "kept", "gonet", None, AT_LEAST, 0.9),
    Bar("CPU per connection, churn: gonet / Go", "churn", "cpu_us", "gonet", "go", AT_MOST, 1.2),
    Bar("go(fn) to end, by 1,000: gonet / gevent", "spawn", "batch_ns", "gonet", "gevent", AT_MOST, 0.1),
    Bar("go(fn) to end, by one: gonet / gevent", "spawn", "single_ns", "gonet", "gevent", AT_MOST, 0.1),
    Bar("CPU of a server with 1,000 parked", "parked-1000", "cpu_percent", "gonet", None, AT_MOST, 0.2, " %"),
    _op("round_trip_ns", "unbuffered round trip", 0.1),
    Bar("unbuffered round trip: gonet / Go", "ops", "round_trip_ns", "gonet", "go", AT_MOST, 4.0),
    _op("stream_ns", "buffered item, to another goroutine"),
    _op("buffered_ns", "buffered item, put and get by one"),
    _op("select_ns", "select of two, one ready"),
    _op("select_wait_ns", "select of two, none ready"),
    _op("mutex_ns", "Mutex, Lock and Unlock"),
    _op("gosched_ns", "Gosched"),
    _op("timer_ns", "timer, start and stop"),
    Bar("read deadline, set anew", "ops", "deadline_ns", "gonet", None, AT_MOST, 1000, " ns"),
    Bar("memory per goroutine parked, 100,000 of them", "crowd", "kb", "gonet", None, AT_MOST, 6.5, " KB"),
    Bar("memory per goroutine not yet started", "crowd", "kb_unstarted", "gonet", None, AT_MOST, 0.6, " KB"),
    Bar("woken and finished / one spawn and join", "crowd", "wake_to_spawn", "gonet", None, AT_MOST, 2.0),
]
