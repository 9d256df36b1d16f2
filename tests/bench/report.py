"""Writes benchmark.md and benchmark.svg: `python -m tests.bench.report build/bench/results.json --out docs`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import chart, tables
from .figures import Figures


def write(raw: Mapping[str, Any], out: Path) -> list[Path]:
    """Writes both files into the directory `out` (the Markdown alone without matplotlib) and returns their paths."""
    figures = Figures(raw["results"])
    out.mkdir(parents=True, exist_ok=True)
    image = out / "benchmark.svg"
    page = out / "benchmark.md"
    written = [page]
    try:
        chart.draw(figures, image)
        written.append(image)
    except ImportError as error:
        print(f"no chart: {error}")
    page.write_text(tables.document(raw, figures, image.name if image in written else None))
    return written


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, help="the JSON that tests.bench.run keeps")
    parser.add_argument("--out", type=Path, help="directory for both files; without it, tables to the terminal")
    args = parser.parse_args()
    raw = json.loads(args.results.read_text())
    if args.out is None:
        print(tables.summary(Figures(raw["results"])))
        return
    for path in write(raw, args.out):
        print(f"wrote {path}")


if __name__ == "__main__":
    main()
