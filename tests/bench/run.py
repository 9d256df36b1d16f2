"""The rounds and the command line: `python -m tests.bench.run`; see the package's docstring.

Exit status: 0; 1 when gonet does not run or a measurement of it failed; 2 when nothing can be measured at all (with
--quick: 0).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from . import contestants, machine, report, scenarios, tables, toolchain
from .contestants import Contestant
from .figures import Figures, from_result
from .measure import Failed, Settings, measure
from .scenarios import Scenario

OURS = ("gonet", "gonet-pure")
QUICK_SHARED = "echo-100x64"
"""The one scenario of --quick that the rivals take part in."""


def main() -> int:
    """Runs what the command line asks for; returns the exit status."""
    args = _arguments()
    try:
        load = toolchain.compile_c("load.c")
    except toolchain.Missing as missing:
        print(f"bench: the load generator must be compiled: {missing}", file=sys.stderr)
        return 0 if args.quick else 2
    descriptors = machine.raise_descriptor_limit()
    cpus = machine.choose_cpus()
    taking_part, versions, left_out = _prepare(args)
    if not taking_part:
        print("bench: no server can run", file=sys.stderr)
        return 0 if args.quick else 2

    raw: dict[str, Any] = {
        "machine": machine.describe(cpus),
        "versions": versions,
        "left_out": left_out,
        "options": {"rounds": args.rounds, "seconds": args.seconds, "warmup": args.warmup},
        "failures": [],
        "results": [],
    }
    settings = Settings(load=load, cpus=cpus, seconds=args.seconds, warmup=args.warmup, calm=args.calm)
    plan = _plan(args, taking_part, descriptors, left_out)
    _announce(args, plan, cpus)
    try:
        for number in range(args.rounds):
            _round(number, plan, settings, raw, args.rounds)
            args.json.parent.mkdir(parents=True, exist_ok=True)
            args.json.write_text(json.dumps(raw, indent=1) + "\n")
    except KeyboardInterrupt:
        print("bench: interrupted; reporting what there is")
    _finish(args, raw)
    if not args.servers and OURS[1] in left_out:
        # Uncompiled it runs wherever Python does: without it there was no benchmark of gonet.
        print(f"bench: gonet does not run: {left_out[OURS[1]]}", file=sys.stderr)
        return 1
    return 1 if any(text.split(":")[0] in OURS for text in raw["failures"]) else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.run", description="The benchmark of gonet.")
    add = parser.add_argument
    add("--quick", action="store_true", help="about ten seconds: does everything work? says nothing about speed")
    add("--rounds", type=int, help="how often everything is measured (5; quick: 1)")
    add("--seconds", type=float, help="length of each window (3; quick: 0.1)")
    add("--servers", type=_names(contestants.BY_NAME), help=f"some of {','.join(contestants.BY_NAME)}")
    add("--scenarios", type=_names(scenarios.BY_NAME), help=f"some of {','.join(scenarios.BY_NAME)}")
    add("--out", type=Path, help="directory for benchmark.md and .svg (a full run: docs; otherwise the terminal only)")
    add("--json", type=Path, default=toolchain.BUILD / "results.json", help="where the raw results are kept")
    args = parser.parse_args()
    args.rounds = args.rounds or (1 if args.quick else 5)
    args.seconds = args.seconds or (0.1 if args.quick else 3.0)
    args.warmup = 0.05 if args.quick else 0.5
    args.calm = 0.03 if args.quick else 0.3
    if args.out is None and not (args.quick or args.servers or args.scenarios):
        args.out = toolchain.ROOT / "docs"
    return args


def _names(known: dict[str, Any]) -> Any:
    def parse(text: str) -> list[str]:
        names = text.split(",")
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(known)}")
        return names

    return parse


def _prepare(args: argparse.Namespace) -> tuple[list[Contestant], dict[str, str], dict[str, str]]:
    """Those who can run, their versions, and why the others cannot."""
    taking_part: list[Contestant] = []
    versions: dict[str, str] = {}
    left_out: dict[str, str] = {}
    for contestant in contestants.ALL:
        if args.servers and contestant.name not in args.servers:
            continue
        # Building Go's net package for the first time takes longer than all of --quick.
        unbuilt = contestant.name == "go" and not toolchain.go_program(contestants.GO_ECHO).exists()
        if args.quick and not args.servers and unbuilt:
            left_out[contestant.name] = "not built yet; --quick does not build it unless --servers names it"
        else:
            try:
                versions[contestant.name] = contestant.prepare()
                taking_part.append(contestant)
            except toolchain.Missing as missing:
                left_out[contestant.name] = str(missing)
    for name, why in left_out.items():
        print(f"bench: {name} is left out: {why}")
    return taking_part, versions, left_out


def _plan(
    args: argparse.Namespace, taking_part: list[Contestant], descriptors: int, left_out: dict[str, str]
) -> list[tuple[Scenario, list[Contestant]]]:
    """Each scenario with those who take part in it."""
    plan = []
    for scenario in scenarios.ALL:
        if args.scenarios and scenario.name not in args.scenarios:
            continue
        if args.quick:
            scenario = scenarios.quick(scenario)
        if scenario.sockets() > descriptors:
            left_out[scenario.name] = f"needs {scenario.sockets()} descriptors, the limit is {descriptors}"
            print(f"bench: {scenario.name} is left out: {left_out[scenario.name]}")
            continue
        chosen = [c for c in taking_part if c.takes_part(scenario.mode)]
        if args.quick and not args.servers and not args.scenarios and scenario.name != QUICK_SHARED:
            chosen = [c for c in chosen if c.name in OURS]
        plan.append((scenario, chosen))
    return plan


def _announce(args: argparse.Namespace, plan: list[tuple[Scenario, list[Contestant]]], cpus: object) -> None:
    if cpus is None:
        print("bench: only one CPU, so server and load are unpinned and share it")
    count = sum(len(chosen) for _, chosen in plan) * args.rounds
    # A process's start, and the time to be sure that it is at rest, come on top of the windows.
    minutes = count * (args.seconds + args.warmup + 4 * args.calm + 0.4) / 60
    print(f"bench: {count} measurements, about {minutes:.0f} min", flush=True)


def _round(
    number: int,
    plan: list[tuple[Scenario, list[Contestant]]],
    settings: Settings,
    raw: dict[str, Any],
    rounds: int,
) -> None:
    for scenario, chosen in plan:
        for contestant in chosen if number % 2 == 0 else reversed(chosen):
            began = time.monotonic()
            try:
                result = measure(scenario, contestant, settings)
            except Failed as failed:
                raw["failures"].append(f"{contestant.name}: {scenario.name}, round {number + 1}: {failed}")
                print(f"bench: FAILED {raw['failures'][-1]}", flush=True)
                continue
            entry = {"round": number, "scenario": scenario.name, "contestant": contestant.name, "result": result}
            raw["results"].append(entry)
            label = f"{number + 1}/{rounds} {scenario.name:13} {contestant.name:11}"
            print(f"{label} {_line(from_result(result))}  ({time.monotonic() - began:.1f} s)", flush=True)


def _line(figure: dict[str, float]) -> str:
    """The figures of one measurement that are worth a look while it runs."""
    shown = {
        "rate": "/s", "cpu_us": " us", "user_us": " us user", "p99_us": " us p99",
        "alone_rate": "/s alone", "beside_rate": "/s beside", "kb": " KB", "kb_spoken": " KB spoken",
        "cpu_percent": " %", "batch_ns": " ns of 1,000", "single_ns": " ns alone",
        "round_trip_ns": " ns round trip", "stream_ns": " ns buffered", "select_ns": " ns select",
        "mutex_ns": " ns Mutex", "gosched_ns": " ns Gosched", "timer_ns": " ns timer",
        "kb_unstarted": " KB unstarted", "wake_ns": " ns to wake", "spawn_ns": " ns to spawn",
    }  # fmt: skip
    return "  ".join(f"{tables.number(figure[key])}{unit}" for key, unit in shown.items() if key in figure)


def _finish(args: argparse.Namespace, raw: dict[str, Any]) -> None:
    if args.quick:
        done, failed = len(raw["results"]), len(raw["failures"])
        print(f"bench: {done} measurements worked, {failed} failed; windows this short say nothing about speed")
    elif raw["results"]:
        print("\n" + tables.summary(Figures(raw["results"])))
        print(f"bench: {tables.disturbed(raw['results'])}")
    if args.out is not None and raw["results"]:
        for path in report.write(raw, args.out):
            print(f"bench: wrote {path}")
    print(f"bench: raw results in {args.json}")


if __name__ == "__main__":
    sys.exit(main())
