"""From raw results to figures: what one measurement says, medians over the rounds, and ratios.

A ratio is the median of the rounds' own ratios, not the ratio of two medians: the two sides of a round ran within
seconds of each other, so what slows the whole machine down for a while cancels out.
"""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median
from typing import Any

Figure = dict[str, float]
"""Metric -> value. Times in us (metrics in _ns: ns), memory in KB of 1,024 bytes, `rate` in messages a second."""


def from_result(result: Mapping[str, Any]) -> Figure:
    """The figures of one measurement, whichever scenario it was."""
    if "windows" not in result:
        plain = {key: float(value) for key, value in result.items()}
        if "wake_ns" in plain:
            plain["wake_to_spawn"] = plain["wake_ns"] / plain["spawn_ns"]
        return plain
    mode, windows, rss = result["mode"], result["windows"], result["rss_kb"]
    if mode == "parked":
        window = windows["main"]
        return {
            "cpu_percent": 100 * window["server_ns"] / 1e9 / window["seconds"],
            "kb": (rss["open"] - rss["base"]) / result["idle"],
        }
    if mode == "idle":
        alone, beside = _window(windows["alone"]), _window(windows["beside"])
        figure = {f"alone_{key}": value for key, value in alone.items()}
        figure |= {f"beside_{key}": value for key, value in beside.items()}
        figure["kept"] = beside["rate"] / alone["rate"]
        figure["kb"] = (rss["open"] - rss["base"]) / result["idle"]
        figure["kb_spoken"] = (rss["spoken"] - rss["base"]) / result["idle"]
        return figure
    return {**_window(windows["main"]), "kb": (rss["open"] - rss["base"]) / result["conns"]}


def _window(window: Mapping[str, float]) -> Figure:
    messages, seconds, cpu = window["messages"], window["seconds"], window["server_ns"]
    # The sum is exact to the nanosecond; the ticks only divide it. A window too short for a tick has no division.
    ticks = window["user_ns"] + window["sys_ns"]
    user = cpu * window["user_ns"] / ticks if ticks else float("nan")
    return {
        "rate": messages / seconds,
        "cpu_us": cpu / messages / 1e3,
        "user_us": user / messages / 1e3,
        "sys_us": (cpu - user) / messages / 1e3,
        "p50_us": window["p50_us"],
        "p99_us": window["p99_us"],
        "p999_us": window["p999_us"],
        "server_busy": cpu / 1e9 / seconds,
    }


def disturbance(results: list[dict[str, Any]]) -> tuple[float, float] | None:
    """(median, worst) share of a window that server or load waited for a CPU which something else was using."""
    windows = [w for entry in results for w in entry["result"].get("windows", {}).values()]
    shares = [window["waited_ns"] / 1e9 / window["seconds"] for window in windows]
    return (median(shares), max(shares)) if shares else None


class Figures:
    """The figures of a whole run, by scenario, contestant and round."""

    def __init__(self, results: list[dict[str, Any]]) -> None:
        self._rounds: dict[tuple[str, str], dict[int, Figure]] = {}
        for entry in results:
            rounds = self._rounds.setdefault((entry["scenario"], entry["contestant"]), {})
            rounds[entry["round"]] = from_result(entry["result"])

    def has(self, scenario: str, contestant: str | None = None) -> bool:
        """Whether there is any round of it (of anyone's, when no contestant is named)."""
        return any(s == scenario and contestant in (None, c) for s, c in self._rounds)

    def values(self, scenario: str, contestant: str, metric: str) -> list[float]:
        """One value a round."""
        return [figure[metric] for figure in self._rounds.get((scenario, contestant), {}).values()]

    def median(self, scenario: str, contestant: str, metric: str) -> float | None:
        """None when it was not measured."""
        values = self.values(scenario, contestant, metric)
        return median(values) if values else None

    def ratio(self, scenario: str, metric: str, ours: str, theirs: str) -> float | None:
        """The median of ours/theirs over the rounds that have both; None when none has."""
        mine = self._rounds.get((scenario, ours), {})
        yours = self._rounds.get((scenario, theirs), {})
        ratios = [mine[r][metric] / yours[r][metric] for r in mine if r in yours and yours[r][metric]]
        return median(ratios) if ratios else None
