"""The machine: which CPUs to pin server and load to, how many descriptors there are, what the report should say."""

from __future__ import annotations

import os
import platform
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def choose_cpus() -> tuple[int, int] | None:
    """(server's, load's): two CPUs of different cores where there are such; None on a machine of one CPU."""
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        return None
    siblings = _read(f"/sys/devices/system/cpu/cpu{cpus[0]}/topology/core_cpus_list")
    others = [cpu for cpu in cpus[1:] if cpu not in _cpu_list(siblings)]
    return cpus[0], (others or cpus[1:])[0]


@contextmanager
def pinned(cpu: int | None) -> Iterator[None]:
    """Processes started inside inherit the affinity: it holds before their first instruction, for every thread."""
    if cpu is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cpu})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def raise_descriptor_limit() -> int:
    """Raises the soft limit to the hard one, for us and our children; returns it."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard == resource.RLIM_INFINITY:
        hard = 1 << 20
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def describe(cpus: tuple[int, int] | None) -> dict[str, str]:
    """Label -> text, in the order in which the report lists them."""
    models = [line.split(":", 1)[1].strip() for line in _read("/proc/cpuinfo").splitlines() if "model name" in line]
    pinning = f"server on CPU {cpus[0]}, load on CPU {cpus[1]}" if cpus else "unpinned: there is only one CPU"
    return {
        "CPU": f"{models[0] if models else platform.machine()}, {os.cpu_count()} of them",
        "Pinning": pinning,
        "Kernel": f"{platform.system()} {platform.release()}",
        "TCP congestion control": _read("/proc/sys/net/ipv4/tcp_congestion_control"),
        "Python": f"{platform.python_implementation()} {sys.version.split()[0]}",
        "Load average before": " ".join(f"{x:.2f}" for x in os.getloadavg()),
    }


def _cpu_list(text: str) -> set[int]:
    """{0, 1, 4} of "0-1,4"."""
    found: set[int] = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return found


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""
