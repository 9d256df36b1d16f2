"""Who takes part, how each is started, and why one cannot be (not installed, no toolchain, not compiled)."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field

from . import toolchain
from .scenarios import SERVERLESS


@dataclass(frozen=True)
class Contestant:
    """A server and, for most, programs for the benchmarks of spawn and ops. `prepare` builds or imports it.

    `prepare` returns the version to name in the report; it raises toolchain.Missing with the reason for leaving out.
    """

    name: str
    label: str
    about: str
    colour: str
    server: Callable[[], list[str]]
    spawn: Callable[[], list[str]] | None
    ops: Callable[[], list[str]] | None
    prepare: Callable[[], str]
    env: dict[str, str] = field(default_factory=dict)
    bare: str = ""

    def title(self, mode: str) -> str:
        """What to call it in a scenario of this mode: without a server it is not its server that takes part."""
        return self.bare if self.bare and mode in SERVERLESS else self.label

    def takes_part(self, mode: str) -> bool:
        """Whether it has a program for scenarios of this mode."""
        return {"spawn": self.spawn, "ops": self.ops, "crowd": self.ops}.get(mode, self.server) is not None

    def environment(self) -> dict[str, str]:
        """The environment for its processes."""
        return _environment(self.env)


def _environment(extra: dict[str, str]) -> dict[str, str]:
    """Ours, without what would change the behaviour of one of them, and `extra`."""
    meant_for_us = ("GONET_PURE", "GOMAXPROCS", "GODEBUG")
    return {**{k: v for k, v in os.environ.items() if k not in meant_for_us}, **extra}


def _module(name: str) -> Callable[[], list[str]]:
    return lambda: [sys.executable, "-m", f"tests.bench.{name}"]


def _go(source: str) -> Callable[[], list[str]]:
    return lambda: [str(toolchain.go_program(source))]


def _ask(code: str, env: dict[str, str] | None = None) -> str:
    """What `code` prints in a Python of its own; raises Missing with its last line of complaint."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=toolchain.ROOT,
        env=_environment(env or {}),
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise toolchain.Missing((done.stderr.strip().splitlines() or ["failed without a word"])[-1])
    return done.stdout.strip()


def _prepare_gonet(form: str, env: dict[str, str]) -> Callable[[], str]:
    code = f"""
import greenlet, runtime
from gonet import go, net
found = "compiled" if runtime.compiled else "uncompiled"
if found != {form!r}:
    raise SystemExit("it is " + found + " here")
print("greenlet", greenlet.__version__)
"""
    return lambda: _ask(code, env)


def _prepare_module(name: str) -> Callable[[], str]:
    return lambda: _ask(f"import {name}; print({name}.__version__)")


def _prepare_go() -> str:
    for source in (GO_ECHO, GO_SPAWN, GO_OPS):
        toolchain.compile_go(source)
    compiler = toolchain.find_go()
    if compiler is None:
        return "built earlier"
    env = {**os.environ, "GOTOOLCHAIN": "local"}
    return subprocess.run([compiler, "version"], env=env, capture_output=True, text=True).stdout.split()[2]


def _prepare_floor() -> str:
    toolchain.compile_c("servers/floor.c")
    return "C"


PURE = {"GONET_PURE": "1"}
GO_ECHO = "servers/goecho/main.go"
GO_SPAWN = "spawn/gospawn/main.go"
GO_OPS = "ops/goops/main.go"

ALL = (
    Contestant(
        name="gonet",
        label="gonet, compiled",
        about="a goroutine a connection, Read into a buffer and Write",
        colour="#00758f",
        server=_module("servers.gonet_echo"),
        spawn=_module("spawn.gonet_spawn"),
        ops=_module("ops.gonet_ops"),
        prepare=_prepare_gonet("compiled", {}),
    ),
    Contestant(
        name="gonet-pure",
        label="gonet, uncompiled",
        about="the same program with GONET_PURE=1",
        colour="#6fb7c6",
        server=_module("servers.gonet_echo"),
        spawn=_module("spawn.gonet_spawn"),
        ops=_module("ops.gonet_ops"),
        prepare=_prepare_gonet("uncompiled", PURE),
        env=PURE,
    ),
    Contestant(
        name="go",
        label="Go net",
        about="a goroutine a connection, Read into a buffer and Write; GOMAXPROCS=1",
        colour="#444444",
        server=_go(GO_ECHO),
        spawn=_go(GO_SPAWN),
        ops=_go(GO_OPS),
        bare="Go",
        prepare=_prepare_go,
        env={"GOMAXPROCS": "1"},
    ),
    Contestant(
        name="uvloop",
        label="uvloop Protocol",
        about="asyncio.Protocol, data_received writes (faster here than BufferedProtocol)",
        colour="#c08a2c",
        server=_module("servers.uvloop_echo"),
        spawn=None,
        ops=_module("ops.uvloop_ops"),
        bare="uvloop",
        prepare=_prepare_module("uvloop"),
    ),
    Contestant(
        name="asyncio",
        label="asyncio streams",
        about="a task a connection, read, write, drain",
        colour="#8b6fb0",
        server=_module("servers.asyncio_echo"),
        spawn=_module("spawn.asyncio_spawn"),
        ops=_module("ops.asyncio_ops"),
        bare="asyncio",
        prepare=lambda: f"Python {sys.version.split()[0]}",
    ),
    Contestant(
        name="gevent",
        label="gevent",
        about="StreamServer, recv_into a buffer and sendall (no slower than recv, or than an accept loop)",
        colour="#4f9a5b",
        server=_module("servers.gevent_echo"),
        spawn=_module("spawn.gevent_spawn"),
        ops=_module("ops.gevent_ops"),
        prepare=_prepare_module("gevent"),
    ),
    Contestant(
        name="floor",
        label="bare epoll in C",
        about="no runtime at all: the kernel's own share, as a floor",
        colour="#bbbbbb",
        server=lambda: [str(toolchain.BUILD / "floor")],
        spawn=None,
        ops=None,
        prepare=_prepare_floor,
    ),
)

BY_NAME = {contestant.name: contestant for contestant in ALL}
