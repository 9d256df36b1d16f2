"""One measurement: a fresh server process on its CPU, the load generator on another, one result.

A server process is used once. What it has allocated or cached for one scenario cannot flatter or burden the next.
"""

from __future__ import annotations

import json
import select
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .contestants import Contestant
from .machine import pinned
from .scenarios import Scenario
from .toolchain import ROOT

START_SECONDS = 30
"""A server has this long to say that it is ready."""


class Failed(Exception):
    """A measurement that came to nothing: the server did not start or complained, or the load saw errors."""


@dataclass(frozen=True)
class Settings:
    """What is the same for all measurements of a run. In seconds; after `calm` without work a server is at rest."""

    load: Path
    cpus: tuple[int, int] | None
    seconds: float
    warmup: float
    calm: float


def measure(scenario: Scenario, contestant: Contestant, settings: Settings) -> dict[str, Any]:
    """What load.c, or a program in spawn/ or ops/, printed. Raises: Failed."""
    if scenario.mode == "spawn":
        return _spawn(contestant, settings)
    if scenario.mode == "ops":
        return _ops(contestant, settings, "--seconds", str(settings.seconds / 10))
    if scenario.mode == "crowd":
        crowd = ("--crowd", str(scenario.idle), "--state")
        return _ops(contestant, settings, *crowd, "parked") | _ops(contestant, settings, *crowd, "unstarted")
    with _server(contestant, scenario.buffer, settings) as (pid, port):
        command = [str(settings.load), scenario.mode]
        options = {
            "port": port,
            "pid": pid,
            "conns": scenario.conns,
            "size": scenario.size,
            "idle": scenario.idle,
            "seconds": settings.seconds,
            "warmup": settings.warmup,
            "calm": settings.calm,
        }
        for key, value in options.items():
            command += [f"--{key}", str(value)]
        result = _json(_run(command, settings.cpus and settings.cpus[1], None, settings.seconds))
        if result["errors"]:
            raise Failed(f"{result['errors']} connections failed, the first: {result['error']}")
        if scenario.mode != "parked" and not all(window["messages"] for window in result["windows"].values()):
            raise Failed("no messages in the time given")
        return result


def _spawn(contestant: Contestant, settings: Settings) -> dict[str, Any]:
    assert contestant.spawn is not None
    command = [*contestant.spawn(), "--seconds", str(settings.seconds / 2)]
    cpu = settings.cpus and settings.cpus[0]
    return _json(_run(command, cpu, contestant.environment(), settings.seconds))


def _ops(contestant: Contestant, settings: Settings, *options: str) -> dict[str, Any]:
    assert contestant.ops is not None
    cpu = settings.cpus and settings.cpus[0]
    return _json(_run([*contestant.ops(), *options], cpu, contestant.environment(), settings.seconds))


@contextmanager
def _server(contestant: Contestant, size: int, settings: Settings) -> Iterator[tuple[int, int]]:
    """(pid, port) of a server that is ready; ended on leaving. Raises: Failed, also when it wrote to stderr."""
    with tempfile.TemporaryFile() as complaints:
        with pinned(settings.cpus and settings.cpus[0]):
            process = subprocess.Popen(
                [*contestant.server(), "--size", str(size)],
                cwd=ROOT,
                env=contestant.environment(),
                stdout=subprocess.PIPE,
                stderr=complaints,
            )
        try:
            assert process.stdout is not None
            readable, _, _ = select.select([process.stdout], [], [], START_SECONDS)
            words = process.stdout.readline().split() if readable else []
            if len(words) != 2 or words[0] != b"ready":
                raise Failed("did not start")
            yield process.pid, int(words[1])
            ended = process.poll()
        except Failed as failed:
            raise Failed(f"{failed}; its stderr: {_tail(complaints) or 'empty'}") from None
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
        said = _tail(complaints)
        if ended is not None:
            raise Failed(f"ended with status {ended} while it was measured: {said}")
        if said:
            raise Failed(f"wrote to stderr: {said}")


def _run(command: list[str], cpu: int | None, env: dict[str, str] | None, seconds: float) -> str:
    with pinned(cpu):
        process = subprocess.Popen(
            command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
    try:
        out, err = process.communicate(timeout=120 + 4 * seconds)
    except subprocess.TimeoutExpired:
        raise Failed(f"no end: {' '.join(command)}") from None
    finally:
        process.kill()
        process.wait()
    if process.returncode != 0:
        raise Failed(f"status {process.returncode}: {err.strip()[-800:]}")
    return out


def _json(text: str) -> dict[str, Any]:
    try:
        result = json.loads(text)
    except ValueError:
        raise Failed(f"not JSON: {text[-200:]!r}") from None
    assert isinstance(result, dict)
    return result


def _tail(file: Any) -> str:
    file.seek(0)
    return file.read()[-800:].decode(errors="replace").strip()
