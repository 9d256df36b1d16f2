"""What the benchmark's figures rest on: a load generator that notices a server which does not echo, and arithmetic."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.bench import bars, chart, scenarios, tables, toolchain
from tests.bench.figures import Figures


@pytest.fixture(scope="module")
def load() -> Path:
    try:
        return toolchain.compile_c("load.c")
    except toolchain.Missing as missing:
        pytest.skip(str(missing))


class Server:
    """A thread a connection; `reply(data, count)` gives the answer to the count-th read, None to close."""

    def __init__(self, reply: Callable[[bytes, int], bytes | None]) -> None:
        self._reply = reply
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                conn, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(conn,), daemon=True).start()

    def _serve(self, conn: socket.socket) -> None:
        count = 0
        conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with conn:
            try:
                while data := conn.recv(4096):
                    count += 1
                    answer = self._reply(data, count)
                    if answer is None:
                        return
                    conn.sendall(answer)
            except OSError:
                pass


@pytest.fixture
def serve() -> Iterator[Callable[[Callable[[bytes, int], bytes | None]], Server]]:
    servers: list[Server] = []

    def start(reply: Callable[[bytes, int], bytes | None]) -> Server:
        servers.append(Server(reply))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def run(load: Path, mode: str, server: Server, **options: object) -> dict[str, Any]:
    settings = {"seconds": 0.1, "warmup": 0.02, "calm": 0.03, "patience": 1, **options}
    command = [str(load), mode, "--port", str(server.port), "--pid", str(os.getpid())]
    for key, value in settings.items():
        command += [f"--{key}", str(value)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert isinstance(result, dict)
    return result


@pytest.mark.parametrize(
    ("mode", "options"),
    [
        ("echo", {"conns": 3}),
        ("echo", {"conns": 2, "size": 100_000}),
        ("idle", {"conns": 2, "idle": 70}),
        ("churn", {"conns": 3}),
        ("parked", {"idle": 5}),
    ],
    ids=str,
)
def test_load_finds_no_fault_with_an_echo_server(load: Path, serve: Any, mode: str, options: dict[str, int]) -> None:
    result = run(load, mode, serve(lambda data, _: data), **options, patience=30)  # only waited out by what hangs
    assert (result["errors"], result["error"]) == (0, "")
    assert mode == "parked" or all(window["messages"] > 0 for window in result["windows"].values())


@pytest.mark.parametrize(
    ("fault", "reply"),
    [
        ("wrong bytes", lambda data, count: data if count < 17 else data[::-1]),
        ("no answer", lambda data, count: data if count < 5 else data[1:]),
        ("closed by the server", lambda data, count: data if count < 5 else None),
        # Found while resting, when the next message is out, or within it: the words are a matter of timing.
        ("", lambda data, count: data + b"x"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_load_reports_a_server_that_does_not_echo(load: Path, serve: Any, fault: str, reply: Any) -> None:
    result = run(load, "echo", serve(reply), conns=2)
    assert result["errors"] > 0
    assert fault in result["error"]


def spawned(round_: int, contestant: str, batch: float) -> dict[str, Any]:
    result = {"batch_ns": batch, "single_ns": batch}
    return {"round": round_, "scenario": "spawn", "contestant": contestant, "result": result}


def test_a_ratio_is_the_median_of_the_rounds_ratios() -> None:
    """The machine was ten times slower in round 1, and gevent has no round 3."""
    figures = Figures(
        [
            *(spawned(r, "gonet", ns) for r, ns in enumerate([10.0, 100.0, 12.0, 1.0])),
            *(spawned(r, "gevent", ns) for r, ns in enumerate([100.0, 1000.0, 100.0])),
        ]
    )
    assert figures.ratio("spawn", "batch_ns", "gonet", "gevent") == pytest.approx(0.1)
    assert figures.median("spawn", "gonet", "batch_ns") == 11.0
    assert figures.ratio("spawn", "batch_ns", "gonet", "go") is None


def test_every_bar_is_about_a_scenario_and_knows_its_side() -> None:
    for bar in bars.ALL:
        assert bar.scenario in scenarios.BY_NAME
        assert bar.met(bar.limit)
        assert bar.met(bar.limit * 2) == (bar.sense == bars.AT_LEAST)


def test_numbers_have_about_three_digits() -> None:
    assert [tables.number(x) for x in (None, float("nan"))] == ["–", "–"]
    assert [tables.number(x) for x in (0.1234, 12.34, 1234.5)] == ["0.12", "12.3", "1,234"]


def program(name: str, *options: str, env: dict[str, str] | None = None) -> dict[str, float]:
    command = [sys.executable, "-m", f"tests.bench.ops.{name}", *options]
    done = subprocess.run(
        command, cwd=toolchain.ROOT, env={**os.environ, **(env or {})}, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert isinstance(result, dict)
    return result


@pytest.mark.parametrize("name", ["gonet_ops", "asyncio_ops"])
def test_operations_and_crowds_give_every_figure(name: str) -> None:
    ops = program(name, "--seconds", "0.01")
    assert ops.keys() == tables.OPS.keys()
    assert all(value > 0 for value in ops.values())
    crowd = program(name, "--crowd", "300")
    crowd |= program(name, "--crowd", "300", "--state", "unstarted")
    assert crowd.keys() == {"kb", "wake_ns", "spawn_ns", "kb_unstarted"}
    assert crowd["wake_ns"] > 0 and crowd["spawn_ns"] > 0


def test_every_metric_of_the_operations_has_a_bar_and_a_panel() -> None:
    assert {bar.metric for bar in bars.ALL if bar.scenario == "ops"} == tables.OPS.keys()
    assert {panel.total for panel in chart.PANELS if panel.scenario == "ops"} == tables.OPS.keys()


def test_the_tables_have_the_operations_and_the_crowds() -> None:
    ops = dict.fromkeys(tables.OPS, 100.0)
    crowd = {"kb": 4.0, "kb_unstarted": 0.5, "wake_ns": 300.0, "spawn_ns": 100.0}
    results: list[dict[str, Any]] = []
    for name, factor in (("gonet", 1), ("gevent", 8), ("go", 0.5)):
        for scenario, figure in (("ops", ops), ("crowd", crowd)):
            result = {metric: value * factor for metric, value in figure.items()}
            results.append({"round": 0, "scenario": scenario, "contestant": name, "result": result})
    figures = Figures(results)
    assert figures.ratio("ops", "timer_ns", "gonet", "gevent") == 0.125
    assert figures.median("crowd", "gonet", "wake_to_spawn") == 3.0
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in tables.summary(figures).splitlines()]
    assert ["timer, start and stop: gonet / gevent", "0.125", "at most 0.2", "yes"] in rows
    assert ["woken and finished / one spawn and join", "3.00", "at most 2", "**no**"] in rows
    assert ["timer, start and stop", "100", "50.0", "800", "0.125", "2.00"] in rows
    assert ["Go", "2.00", "0.25", "150", "50.0", "3.00"] in rows
