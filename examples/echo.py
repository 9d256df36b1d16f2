"""The echo server of Go's tutorial: a goroutine a connection, Read and Write as if they blocked.

    python examples/echo.py                  serve on 127.0.0.1:8080, until Ctrl-C; try `nc 127.0.0.1 8080`
    python examples/echo.py --listen :7      serve there
    python examples/echo.py --demo           serve on a free port, be 200 clients for three seconds, report, end
"""

from __future__ import annotations

import argparse
import sys
from contextlib import suppress

import runtime
from gonet import go, net, time

# ---- the server


def serve(ln: net.Listener) -> None:
    """Accept connections until ln is closed."""
    for conn in ln:
        go(handle, conn)


def handle(conn: net.Conn) -> None:
    """Send back what comes, until the peer is done or gone."""
    with conn, suppress(ConnectionError):
        buf = bytearray(4096)
        while n := conn.Read(buf):
            conn.Write(memoryview(buf)[:n])


# ---- the demonstration

MESSAGE = b"what is sent is sent back, and that is all there is to an echo.\n"  # 64 bytes


def demo(clients: int, seconds: float) -> str | None:
    """Drive the server and print how it went; what went wrong, or None."""
    ln = net.Listen("tcp", "127.0.0.1:0")
    server = go(serve, ln)
    print(f"{runtime.Version()}, {'compiled' if runtime.compiled else 'pure Python'}, GOMAXPROCS={runtime.GOMAXPROCS()}")
    print(f"echo server on {ln.Addr()}; {clients} clients, a goroutine each, send {len(MESSAGE)} bytes and wait for them")
    print("server and clients share one process: each message is two writes and two reads of its time", flush=True)

    latencies: list[float] = []
    began = time.Now()
    running = [go(client, str(ln.Addr()), began + seconds, latencies) for _ in range(clients)]
    watch(began, seconds, latencies)
    took, count = time.Since(began), len(latencies)

    give_up = time.Now() + 5
    while any(g.state() != "dead" for g in running) and time.Now() < give_up:
        time.Sleep(0.001)
    goroutines = runtime.NumGoroutine()
    ln.Close()
    while server.state() != "dead" or runtime.NumGoroutine() > 1:
        if time.Now() > give_up:
            return f"{runtime.NumGoroutine() - 1} goroutines have not ended"
        time.Sleep(0.001)
    return report(latencies, count, took)


def client(addr: str, until: float, latencies: list[float]) -> None:
    """Send a message, wait for all of it to come back, note how long that took; again and again."""
    with net.Dial("tcp", addr) as conn:
        buf = bytearray(len(MESSAGE))
        while (sent := time.Now()) < until:
            conn.Write(MESSAGE)
            n = 0
            while n < len(buf):
                got = conn.Read(memoryview(buf)[n:])
                if got == 0:
                    raise EOFError("the server has closed the connection")
                n += got
            if buf != MESSAGE:
                raise ValueError(f"sent {MESSAGE!r}, got {buf!r}")
            latencies.append(time.Since(sent))


def watch(began: float, seconds: float, latencies: list[float]) -> None:
    """Show the progress until the time is over, and the scheduler's state every second."""
    live = sys.stdout.isatty()
    step = 0.1 if live else 1.0
    steps = max(1, round(seconds / step))
