"""The bar chart: one panel a question, one bar a contestant, always in the same colour."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import contestants, scenarios, tables
from .figures import Figures
from .tables import number


@dataclass(frozen=True)
class Panel:
    """`metrics` are stacked from the left, the first in the full colour, the second paler; `total` labels the bar."""

    title: str
    scenario: str
    total: str
    metrics: tuple[str, ...]
    log: bool = False


PANELS = (
    Panel("100 connections, 64 B\nserver CPU, us a message", "echo-100x64", "cpu_us", ("user_us", "sys_us")),
    Panel("1,000 connections, 64 B\nserver CPU, us a message", "echo-1000x64", "cpu_us", ("user_us", "sys_us")),
    Panel("100 connections, 16 KB\nserver CPU, us a message", "echo-100x16k", "cpu_us", ("user_us", "sys_us")),
    Panel("connect, round trip, close\nserver CPU, us a connection", "churn", "cpu_us", ("user_us", "sys_us")),
    Panel("100 connections, 64 B\nmessages/s (longer is better)", "echo-100x64", "rate", ("rate",)),
    Panel("10,000 idle connections\nmemory, KB each", "idle-10000", "kb", ("kb",)),
    Panel("start and finish one of 1,000\nns each (log)", "spawn", "batch_ns", ("batch_ns",), log=True),
    Panel("1,000 parked, no traffic\n% of a CPU", "parked-1000", "cpu_percent", ("cpu_percent",)),
    *(
        Panel(f"{words}\nns each (log)", "ops", metric, (metric,), log=True)
        for metric, words in tables.OPS.items()
    ),
    Panel("100,000 parked on a channel\nKB each", "crowd", "kb", ("kb",)),
    Panel("100,000 not yet started\nKB each", "crowd", "kb_unstarted", ("kb_unstarted",)),
    Panel("100,000 woken and finished\nns each (log)", "crowd", "wake_ns", ("wake_ns",), log=True),
)
PALE = 0.45
LEGEND = "server CPU: full colour is user, pale is system; shorter is better except for messages/s"


def draw(figures: Figures, path: Path) -> None:
    """Writes the SVG. Raises: ImportError when matplotlib is not installed."""
    import matplotlib

    matplotlib.use("svg")
    # The same figures give the same file: no date, no random ids.
    matplotlib.rcParams.update({"svg.hashsalt": "gonet", "svg.fonttype": "none", "font.size": 9})
    from matplotlib import pyplot

    panels = [panel for panel in PANELS if figures.has(panel.scenario)]
    columns = min(4, len(panels))
    lines = -(-len(panels) // columns)
    figure, grid = pyplot.subplots(
        lines, columns, figsize=(3.6 * columns, 2.6 * lines), squeeze=False, layout="constrained"
    )
    for axes in grid.flat[len(panels) :]:
        axes.set_visible(False)
    for panel, axes in zip(panels, grid.flat):
        _panel(panel, axes, figures)
    figure.suptitle(LEGEND, fontsize=9)
    figure.savefig(path, format="svg", metadata={"Date": None})
    pyplot.close(figure)
    # matplotlib leaves spaces at the ends of its lines.
    path.write_text("".join(line.rstrip() + "\n" for line in path.read_text().splitlines()))


def _panel(panel: Panel, axes: Any, figures: Figures) -> None:
    shown = [c for c in contestants.ALL if figures.has(panel.scenario, c.name)]
    places = range(len(shown))
    left = [0.0] * len(shown)
    for index, metric in enumerate(panel.metrics):
        widths = [figures.median(panel.scenario, c.name, metric) or 0.0 for c in shown]
        axes.barh(
            places, widths, left=left, color=[c.colour for c in shown], alpha=PALE if index else 1, log=panel.log
        )
        left = [a + b for a, b in zip(left, widths)]
    for place, contestant in zip(places, shown):
        total = figures.median(panel.scenario, contestant.name, panel.total)
        axes.annotate(f" {number(total)}", (left[place], place), va="center", fontsize=8)
    axes.set_yticks(places, [c.title(scenarios.BY_NAME[panel.scenario].mode) for c in shown])
    axes.invert_yaxis()
    axes.set_title(panel.title, fontsize=9)
    if panel.log:
        axes.margins(x=0.22)
    else:
        axes.set_xlim(0, 1.22 * max(left) or 1)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
