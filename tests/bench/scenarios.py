"""What is measured: how the load generator is called for each scenario, and its small form for --quick."""

from __future__ import annotations

from dataclasses import dataclass, replace

SERVERLESS = ("spawn", "ops", "crowd")


@dataclass(frozen=True)
class Scenario:
    """`mode` is a mode of load.c, or one without a server: "spawn", "ops" or "crowd" (of `idle` goroutines). `noun` is
    what the load counts as one message.

    `buffer` is what every server reads into: 4 KB for small messages and 32 KB for large ones, as programs have it (the
    latter is Go's io.Copy's), and no more than the message where memory is measured.
    """

    name: str
    title: str
    mode: str
    conns: int = 1
    idle: int = 0
    size: int = 64
    buffer: int = 64
    noun: str = "message"

    def sockets(self) -> int:
        """Descriptors that the server needs, with some to spare."""
        return 0 if self.mode in SERVERLESS else self.conns + self.idle + 100


ALL = (
    Scenario("echo-100x64", "Echo, 100 connections, 64 B", "echo", conns=100, buffer=4096),
    Scenario("echo-1000x64", "Echo, 1,000 connections, 64 B", "echo", conns=1000, buffer=4096),
    Scenario("echo-100x16k", "Echo, 100 connections, 16 KB", "echo", conns=100, size=16384, buffer=32768),
    Scenario("idle-10000", "10,000 idle connections beside 10 busy ones, 64 B", "idle", conns=10, idle=10000),
    Scenario(
        "churn", "Churn: connect, one round trip of 64 B, close", "churn", conns=32, buffer=4096, noun="connection"
    ),
    Scenario("parked-1000", "1,000 parked goroutines, no traffic", "parked", idle=1000),
    Scenario("spawn", "Start a goroutine and have it finish", "spawn", noun="goroutine"),
    Scenario("ops", "Channels, locks and timers", "ops"),
    Scenario("crowd", "100,000 goroutines at once", "crowd", idle=100_000),
)

BY_NAME = {scenario.name: scenario for scenario in ALL}


def quick(scenario: Scenario) -> Scenario:
    """The same with few connections: enough to see that it works."""
    return replace(scenario, conns=min(scenario.conns, 200), idle=min(scenario.idle, 300))
