"""The Markdown of the report: how it was measured, the bars, a table a scenario."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from . import bars, contestants, scenarios
from .figures import Figures, disturbance

HOW = """\
Each figure is the median of {rounds} rounds; in every round all servers take their turn at a scenario before the next
scenario begins, and odd rounds go backwards. A ratio is the median of the rounds' own ratios. A server process is
started afresh for each measurement, warmed up, loaded for {warmup:g} s, and then measured for {seconds:g} s.

The load is a closed loop in C ([load.c](../tests/bench/load.c)): every connection has one message in flight and sends
the next when all of the echo is back. It never sleeps, so that no server pays for waking it. *CPU* is the server
process's own, user + system, by its CPU-time clock (the division into user and system by the kernel's ticks), sampled
at the edges of the window. *p99* is the time from sending a message to having all of its echo. *KB a connection* is
the growth of the server's resident memory, in KB of 1,024 bytes, divided by the connections. *Busy* tells how much of
its CPU the server used: below 100 % it waited for the load. All servers have TCP_NODELAY, a backlog of 4,096, and the
same buffer: 4 KB for small messages, 32 KB for large ones, 64 B where memory is measured (uvloop's Protocol and
asyncio's streams bring their own).
"""

CHURN_NOTE = """\
On the loopback the client's own system calls carry both sides of the handshake, so connecting costs the load generator
more than accepting costs the fastest servers: compare the CPU, not the connections/s.
"""

DISTURBED = 0.02
"""Waiting longer than this share of a window for a CPU means that the machine had other things to do."""

IDLE_NOTE = """\
The 10 connections are measured alone, then 10,000 more are opened, and the 10 are measured again. Memory per connection
is the growth when the 10,000 are open and the goroutine, greenlet or task of each waits in its first read (but one in
64 has had a message back, to show that those before it were accepted). *After a message each* is the growth once every
idle connection has sent and received one.
"""


OPS = {
    "round_trip_ns": "unbuffered round trip",
    "stream_ns": "buffered item, to another goroutine",
    "buffered_ns": "buffered item, put and get by one",
    "select_ns": "select of two, one ready",
    "select_wait_ns": "select of two, none ready",
    "mutex_ns": "Mutex, Lock and Unlock",
    "gosched_ns": "Gosched",
    "timer_ns": "timer, start and stop",
    "deadline_ns": "read deadline, set anew",
}
"""The metrics of the scenario "ops", in the order of its table."""

OPS_NOTE = """\
In ns of CPU time. Where a library does not have the operation, its nearest stands here: gevent waits for two Events
with gevent.wait in place of a select and locks a BoundedSemaphore; asyncio has queues with a buffer only, and waits
for a task for each of two gets. Neither has deadlines: they stop a timer and start another.
"""

CROWD_NOTE = """\
Memory is the growth of the resident memory, in a process of its own for each of the two. *Woken and finished* begins
with closing the channel that all wait on (gevent: setting an Event; asyncio: a put for each) and ends when the last has
ended. *Spawn and join* is one at a time. Go may preempt the one that starts the others after 10 ms, so that some of
those not yet started have run and their memory has been used again.
"""


def document(raw: Mapping[str, Any], figures: Figures, chart: str | None) -> str:
    """The whole report. `chart` is the image's file name, None when there is none."""
    options = raw["options"]
    parts = ["# Benchmark\n", "This page is written by `make bench` (tests/bench).\n"]
    if chart is not None:
        parts.append(f"![The figures below as bars]({chart})\n")
    if figures.has("echo-100x64", "gonet"):
        parts += ["## What gonet promises, and what was measured\n", _bars(figures)]
    for scenario in scenarios.ALL:
        if figures.has(scenario.name):
            parts += [f"## {scenario.title}\n", _scenario(scenario, figures)]
    parts += ["## How it was measured\n", HOW.format(**options)]
    facts = {**raw["machine"], "Disturbance": disturbed(raw["results"])}
    parts.append("".join(f"- {label}: {text}\n" for label, text in facts.items() if text))
    parts.append(
        "".join(f"- {c.label}: {c.about}; {raw['versions'][c.name]}\n" for c in _present(raw["versions"]))
    )
    notes = [f"- {name} was left out: {why}\n" for name, why in raw["left_out"].items()]
    notes += [f"- failed: {text}\n" for text in raw["failures"]]
    if notes:
        parts.append("".join(notes))
    return "\n".join(parts)


def disturbed(results: list[dict[str, Any]]) -> str:
    """How long server and load waited for CPUs that others used, in words; empty when nothing was measured."""
    shares = disturbance(results)
    if shares is None:
        return ""
    text = f"server and load waited for their CPUs {100 * shares[0]:.1f} % of the time (worst {100 * shares[1]:.0f} %)"
    return text + ("; **the machine was not quiet**" if shares[0] > DISTURBED else "")


def summary(figures: Figures) -> str:
    """The bars and the tables alone, for the terminal."""
    parts = [_bars(figures)]
    for scenario in scenarios.ALL:
        if figures.has(scenario.name):
            parts += [f"{scenario.title}\n", _scenario(scenario, figures)]
    return "\n".join(parts)


def number(value: float | None, digits: int = 2) -> str:
    """1,234 or 12.3 or 1.23: about three digits; a dash for what was not measured."""
    if value is None or value != value:
        return "–"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.{1 if abs(value) >= 10 else digits}f}"


def _present(names: Iterable[str]) -> list[contestants.Contestant]:
    wanted = set(names)
    return [c for c in contestants.ALL if c.name in wanted]


def _table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table with its columns lined up; the first is text, the others numbers."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]

    def line(cells: list[str]) -> str:
        first, *rest = (cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(cells, widths)))
        return "| " + " | ".join([first, *rest]) + " |\n"

    rule = "|" + "|".join("-" * (w + 2) if i == 0 else "-" * (w + 1) + ":" for i, w in enumerate(widths)) + "|\n"
    return line(header) + rule + "".join(map(line, rows))


def _bars(figures: Figures) -> str:
    rows = []
    for bar in bars.ALL:
        value = bar.measured(figures)
        if value is None:
            continue
        verdict = "yes" if bar.met(value) else "**no**"
        measured = f"{number(value, 3 if bar.limit < 1 else 2)}{bar.unit}"
        rows.append([bar.claim, measured, f"{bar.sense} {bar.limit:g}{bar.unit}", verdict])
    return _table(["", "measured", "bar", "met"], rows) if rows else ""


def _scenario(scenario: scenarios.Scenario, figures: Figures) -> str:
    write = {"idle": _idle, "parked": _parked, "spawn": _spawn, "ops": _ops, "crowd": _crowd}.get(scenario.mode, _echo)
    return write(scenario, figures)


def _rows(scenario: scenarios.Scenario, figures: Figures) -> list[contestants.Contestant]:
    return [c for c in contestants.ALL if figures.has(scenario.name, c.name)]


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.0f} %"


def _echo(scenario: scenarios.Scenario, figures: Figures) -> str:
    header = ["server", f"{scenario.noun}s/s", "to gevent", f"CPU us a {scenario.noun}", "user", "system"]
    header += ["to Go", "to uvloop", "p99 us", "KB a connection", "busy"]
    rows = []
    for c in _rows(scenario, figures):

        def get(metric: str, name: str = c.name) -> float | None:
            return figures.median(scenario.name, name, metric)

        def ratio(metric: str, other: str, name: str = c.name) -> str:
            return number(figures.ratio(scenario.name, metric, name, other))

        row = [c.label, number(get("rate")), ratio("rate", "gevent"), number(get("cpu_us"))]
        row += [number(get("user_us")), number(get("sys_us")), ratio("cpu_us", "go"), ratio("cpu_us", "uvloop")]
        # In churn no connection stays, so there is no memory that is one's own.
        kb = number(get("kb"), 1) if scenario.mode == "echo" else "–"
        row += [number(get("p99_us"), 0), kb, _percent(get("server_busy"))]
        rows.append(row)
    return _table(header, rows) + (f"\n{CHURN_NOTE}" if scenario.mode == "churn" else "")


def _idle(scenario: scenarios.Scenario, figures: Figures) -> str:
    header = ["server", "KB an idle connection", "after a message each", "messages/s alone", "beside", "kept"]
    header += ["CPU us alone", "beside", "p99 us alone", "beside"]
    rows = []
    for c in _rows(scenario, figures):

        def get(metric: str, name: str = c.name) -> float | None:
            return figures.median(scenario.name, name, metric)

        row = [c.label, number(get("kb")), number(get("kb_spoken"))]
        row += [number(get("alone_rate")), number(get("beside_rate")), _percent(get("kept"))]
        row += [number(get(key)) for key in ("alone_cpu_us", "beside_cpu_us")]
        row += [number(get(key), 0) for key in ("alone_p99_us", "beside_p99_us")]
        rows.append(row)
    return _table(header, rows) + "\n" + IDLE_NOTE


def _parked(scenario: scenarios.Scenario, figures: Figures) -> str:
    rows = [
        [
            c.label,
            number(figures.median(scenario.name, c.name, "cpu_percent"), 3),
            number(figures.median(scenario.name, c.name, "kb")),
        ]
        for c in _rows(scenario, figures)
    ]
    return _table(["server", "% of a CPU", "KB a connection"], rows)


def _spawn(scenario: scenarios.Scenario, figures: Figures) -> str:
    header = ["", "ns each, 1,000 at a time", "to gevent", "ns each, one at a time", "to gevent"]
    rows = []
    for c in _rows(scenario, figures):
        row = [c.title(scenario.mode)]
        for metric in ("batch_ns", "single_ns"):
            row.append(number(figures.median(scenario.name, c.name, metric)))
            row.append(number(figures.ratio(scenario.name, metric, c.name, "gevent"), 3))
        rows.append(row)
    return _table(header, rows)


def _ops(scenario: scenarios.Scenario, figures: Figures) -> str:
    shown = _rows(scenario, figures)
    header = ["ns each", *(c.title(scenario.mode) for c in shown), "gonet / gevent", "gonet / Go"]
    rows = []
    for metric, words in OPS.items():
        row = [words, *(number(figures.median(scenario.name, c.name, metric)) for c in shown)]
        row.append(number(figures.ratio(scenario.name, metric, "gonet", "gevent"), 3))
        row.append(number(figures.ratio(scenario.name, metric, "gonet", "go")))
        rows.append(row)
    return _table(header, rows) + "\n" + OPS_NOTE


def _crowd(scenario: scenarios.Scenario, figures: Figures) -> str:
    header = ["", "KB each, parked", "not started", "ns each, woken and finished", "spawn and join", "ratio"]
    metrics = ("kb", "kb_unstarted", "wake_ns", "spawn_ns", "wake_to_spawn")
    rows = [
        [c.title(scenario.mode), *(number(figures.median(scenario.name, c.name, metric)) for metric in metrics)]
        for c in _rows(scenario, figures)
    ]
    return _table(header, rows) + "\n" + CROWD_NOTE
