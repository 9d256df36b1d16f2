"""Builds what is not Python, the load generator and the programs in C and Go, into build/bench; only what changed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILD = ROOT / "build" / "bench"


class Missing(Exception):
    """A compiler is not there, or refused; the text says which."""


def compile_c(source: str) -> Path:
    """The program built from `source` (relative to this directory) by $CC, cc, gcc or clang.

    Raises: Missing.
    """
    path = HERE / source
    target = BUILD / path.stem
    if not _newer(target, [path, *path.parent.glob("*.h")]):
        compiler = next(filter(None, map(shutil.which, (os.environ.get("CC", ""), "cc", "gcc", "clang"))), None)
        if compiler is None:
            raise Missing("no C compiler")
        _run([compiler, "-O2", "-o", str(target), str(path)], os.environ)
    return target


def compile_go(source: str) -> Path:
    """The program built from the Go file `source`, named after the directory it is in.

    Raises: Missing.
    """
    path = HERE / source
    target = go_program(source)
    if not _newer(target, [path]):
        compiler = find_go()
        if compiler is None:
            raise Missing("no Go toolchain")
        # GOTOOLCHAIN: build with the one that is here, never download another.
        env = {"HOME": str(BUILD), **os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": ""}
        _run([compiler, "build", "-o", str(target), str(path)], env)
    return target


def go_program(source: str) -> Path:
    """Where compile_go puts the program; it may not be there yet."""
    return BUILD / (HERE / source).parent.name


def find_go() -> str | None:
    """The go command, on PATH or where Go's own installer puts it."""
    return shutil.which("go") or shutil.which("/usr/local/go/bin/go")


def _newer(target: Path, sources: list[Path]) -> bool:
    return target.exists() and target.stat().st_mtime > max(source.stat().st_mtime for source in sources)


def _run(command: list[str], env: os._Environ[str] | dict[str, str]) -> None:
    BUILD.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    if done.returncode != 0:
        raise Missing(f"{' '.join(command)} failed:\n{done.stderr.strip()}")
