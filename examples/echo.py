"""The echo server of Go's tutorial: a goroutine for each connection, in which Read and Write seem to block.

    python examples/echo.py                  serve on 127.0.0.1:8080 until Ctrl-C (try it with nc)
    python examples/echo.py --listen :7      serve there instead
    python examples/echo.py --demo           serve on a free port, be 200 clients for three seconds, and report
"""

from __future__ import annotations

import argparse
import sys
from contextlib import suppress

import runtime
from gonet import go, net, time
from runtime.sysmon import schedtrace

# ---- the server


def serve(ln: net.Listener) -> None:
    """Accept until ln is closed."""
    for conn in ln:
        go(handle, conn)


def handle(conn: net.Conn) -> None:
    """Send back what comes, until the peer is done, or gone."""
    with conn, suppress(ConnectionError):
        buf = bytearray(4096)
        while n := conn.Read(buf):
            conn.Write(memoryview(buf)[:n])


# ---- the demonstration

MESSAGE = b"What is sent comes back, and that is all there is to an echo. \r\n"


def demo(clients: int, seconds: float) -> str | None:
    """Drive the server and print how it went; None, or what went wrong."""
    ln = net.Listen("tcp", "127.0.0.1:0")
    go(serve, ln)
    print(f"{runtime.Version()} ({'compiled' if runtime.compiled else 'pure Python'}), ", end="")
    print(f"GOMAXPROCS={runtime.GOMAXPROCS()}, echo server on {ln.Addr()}")
    print(f"{clients} clients, each a goroutine, send {len(MESSAGE)} bytes, wait until they are back, and so on")
    print("server and clients share this process: a message costs the work of both ends", flush=True)

    latencies: list[float] = []
    finished: list[str] = []
    began = time.Now()
    for i in range(clients):
        go(client, f"client {i}", str(ln.Addr()), began + seconds, latencies, finished)
    watch(began, seconds, latencies)
    rate = len(latencies) / time.Since(began)

    ended(2)  # main and serve
    ln.Close()
    left = ended(1)
    report(rate, latencies)
    if len(finished) != clients:
        return f"{clients - len(finished)} clients have failed"
    return f"{left - 1} goroutines have not ended" if left > 1 else None


def client(name: str, addr: str, until: float, latencies: list[float], finished: list[str]) -> None:
    """Send a message, wait until all of it is back, note how long that took; again and again."""
    with net.Dial("tcp", addr) as conn:
        buf = bytearray(len(MESSAGE))
        while (sent := time.Now()) < until:
            conn.Write(MESSAGE)
            n = 0
            while n < len(buf):
                more = conn.Read(memoryview(buf)[n:])
                if more == 0:
                    raise EOFError(f"{name}: the server has closed the connection")
                n += more
            if buf != MESSAGE:
                raise ValueError(f"{name}: sent {MESSAGE!r}, got {bytes(buf)!r}")
            latencies.append(time.Since(sent))
    finished.append(name)


def watch(began: float, seconds: float, latencies: list[float]) -> None:
    """Show the progress until the time is over, on a terminal in place, and every second the scheduler's state."""
    live = sys.stdout.isatty()
    traces = 0
    while (elapsed := time.Since(began)) < seconds:
        time.Sleep(min(0.1, seconds - elapsed))
        elapsed = time.Since(began)
        line = f"{elapsed:5.1f} s {len(latencies):10,} messages"
        if live:
            print(f"\r{line}", end="", flush=True)
        if elapsed > traces + 0.95:
            traces += 1
            print("" if live else line, flush=True)
            schedtrace()
    if live:
        print("\r" + " " * 40, end="\r")


def ended(left: int) -> int:
    """Wait, for five seconds at most, until no more than `left` goroutines are left; how many are."""
    give_up = time.Now() + 5
    while runtime.NumGoroutine() > left and time.Now() < give_up:
        time.Sleep(0.001)
    return runtime.NumGoroutine()


def report(rate: float, latencies: list[float]) -> None:
    """Print the figures."""
    latencies.sort()
    figures = "   ".join(
        f"{name} {latencies[min(int(len(latencies) * share), len(latencies) - 1)] * 1e3:.2f} ms"
        for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("max", 1))
        if latencies
    )
    print(f"rate      {rate:,.0f} messages per second")
    print(f"latency   {figures}")
    print("          mostly the wait for a turn: every client sends as soon as it has its answer")
    print("SCHED     what GODEBUG=schedtrace=1000 prints; in [ ], for each P, the goroutines that are ready to run")


def main() -> str | None:
    parser = argparse.ArgumentParser(description="The echo server of Go's tutorial.")
    parser.add_argument("--listen", default="127.0.0.1:8080", metavar="HOST:PORT", help="where to serve (%(default)s)")
    parser.add_argument("--demo", action="store_true", help="serve, be the clients too, report and end")
    parser.add_argument("--clients", type=int, default=200, help="of the demo (%(default)s)")
    parser.add_argument("--seconds", type=float, default=3.0, help="of the demo (%(default)s)")
    args = parser.parse_args()
    if args.demo:
        return demo(args.clients, args.seconds)
    with net.Listen("tcp", args.listen) as ln, suppress(KeyboardInterrupt):
        print(f"echo server on {ln.Addr()}", flush=True)
        serve(ln)
    return None


if __name__ == "__main__":
    sys.exit(main())
