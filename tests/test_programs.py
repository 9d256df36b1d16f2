"""Whole programs, each in Go and in Python: what they print is the same.

tests/programs has NAME.go, NAME.py and NAME.out, which is what both print, and NAME-N.out for the argument N: a number
of primes, goroutines, meals and so on. Where there is a Go toolchain, the Go programs are run too.
"""

from __future__ import annotations

import functools
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

import runtime
from tests.helpers import ROOT

PROGRAMS = ROOT / "tests" / "programs"
NAMES = sorted(path.stem for path in PROGRAMS.glob("*.py"))
LIMIT = 100.0  # seconds for one child; only waited out by what hangs
UNCOMPILED = {"goroutines": ["20000"]}  # the arguments with which the Python sources end in a few seconds
OLDEST_GO = (1, 22)  # it ranges over numbers


@functools.cache
def go_version() -> tuple[int, ...]:
    """The version of the Go toolchain; () if there is none."""
    if shutil.which("go") is None:
        return ()
    found = re.match(r"go version go(\d+)\.(\d+)", run("go", "version"))
    return tuple(map(int, found.groups())) if found else ()


def run(*command: str, cwd: pathlib.Path = ROOT, **env: str) -> str:
    """What a command printed; it must succeed and say nothing on stderr."""
    full = {**os.environ, "PYTHONPATH": str(ROOT), "GOTOOLCHAIN": "local", "GOFLAGS": "", **env}
    done = subprocess.run(command, env=full, cwd=cwd, capture_output=True, text=True, timeout=LIMIT)
    assert (done.returncode, done.stderr) == (0, ""), f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def expected(name: str, *args: str) -> str:
    return (PROGRAMS / f"{'-'.join([name, *args])}.out").read_text()


def test_every_program_is_there_in_both_languages() -> None:
    assert len(NAMES) >= 7
    assert sorted(path.stem for path in PROGRAMS.glob("*.go")) == NAMES
    assert {path.stem.partition("-")[0] for path in PROGRAMS.glob("*.out")} == set(NAMES)


@pytest.mark.parametrize("procs", ["1", "4"])
@pytest.mark.parametrize("name", NAMES)
def test_python_prints(name: str, procs: str) -> None:
    args = [] if runtime.compiled else UNCOMPILED.get(name, [])
    assert run(sys.executable, str(PROGRAMS / f"{name}.py"), *args, GOMAXPROCS=procs) == expected(name, *args)


@pytest.mark.parametrize("name", NAMES)
def test_go_prints_the_same(name: str, tmp_path: pathlib.Path) -> None:
    if go_version() < OLDEST_GO:
        pytest.skip(f"no Go toolchain of version {'.'.join(map(str, OLDEST_GO))} or later")
    binary = str(tmp_path / name)
    run("go", "build", "-o", binary, str(PROGRAMS / f"{name}.go"), cwd=tmp_path)
    assert run(binary) == expected(name)
    if args := UNCOMPILED.get(name):
        assert run(binary, *args) == expected(name, *args)


@pytest.mark.parametrize(("name", "number"), [("sieve", "10"), ("powser", "3"), ("goroutines", "100")])
def test_the_argument_counts(name: str, number: str) -> None:
    got = run(sys.executable, str(PROGRAMS / f"{name}.py"), number)
    assert got and got != expected(name)
