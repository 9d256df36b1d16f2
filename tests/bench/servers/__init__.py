"""Echo servers, one a file: `python -m tests.bench.servers.NAME --size B` prints `ready PORT` and serves until killed.

All do the same: listen on 127.0.0.1 with a backlog of 4,096, and for each connection read into, or up to, B bytes and
write them back until the end of the stream. TCP_NODELAY is on in all; where it is not the library's default it is set
on the listener, from which Linux hands it down: that costs its server no system call a connection.
"""

from __future__ import annotations

import argparse
import socket

BACKLOG = 4096


def size_argument() -> int:
    """The B of --size, from the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, default=64, help="bytes of each connection's buffer")
    return parser.parse_args().size


def ready(port: int) -> None:
    """Tells the orchestrator that connections to `port` will be served."""
    print(f"ready {port}", flush=True)


def nodelay(listener: socket.socket) -> None:
    """Sets TCP_NODELAY on a listener and so on all that it accepts."""
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
