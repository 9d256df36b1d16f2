"""A TCP proxy: every connection gets one to the target, and what comes on either goes out on the other.

    python examples/proxy.py HOST:PORT TARGET:PORT     serve on the first address until Ctrl-C; or --demo

The end of one stream is passed on and leaves the other open. An error resets both connections, for it is no end.
"""

import sys
from contextlib import suppress

from gonet import go, net, time
from runtime import NumGoroutine
from runtime.sema import Sema, semacquire, semrelease


def serve(ln: net.Listener, target: str) -> None:
    for conn in ln:
        go(join, conn, target)


def join(conn: net.TCPConn, target: str) -> None:
    with conn:
        try:
            upstream = net.DialTimeout("tcp", target, 10)
        except OSError as err:
            print(f"proxy: {err}", file=sys.stderr)
            conn.SetLinger(0)  # the Close that follows is a reset
            return
        with upstream:
            done = Sema()
            go(pump, conn, upstream, done)
            go(pump, upstream, conn, done)
            semacquire(done)
            semacquire(done)


def pump(src: net.TCPConn, dst: net.TCPConn, done: Sema) -> None:
    try:
        dst.ReadFrom(src)
        dst.CloseWrite()
    except OSError:
        for conn in src, dst:
            with suppress(OSError):  # the other pump may have done it
                conn.SetLinger(0)
                conn.Close()
    finally:
        semrelease(done)


def demo(answers: list[bytes], request: bytes) -> bool:
    def answer() -> None:
        for conn in target:
            with conn:
                conn.Write(conn.makefile("rb").read().upper())  # once the request has ended

    def ask() -> None:
        with suppress(OSError), net.Dial("tcp", str(ln.Addr())) as conn:
            conn.Write(request)
            conn.CloseWrite()
            answers.append(conn.makefile("rb").read())

    with net.Listen("tcp", "127.0.0.1:0") as target, net.Listen("tcp", "127.0.0.1:0") as ln:
        go(answer)
        go(serve, ln, str(target.Addr()))
        for _ in range(20):
            go(ask)
        while NumGoroutine() > 3:  # main, answer and serve
            time.Sleep(0.001)
        print(f"{answers.count(request.upper())} of 20 requests of {len(request):,} bytes were answered in full")
        target.Close()
        ask()  # no answer, and the proxy says why
        return answers.count(request.upper()) == 20


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(not demo([], b"half a million bytes " * 25000) if "--demo" in sys.argv else __doc__)
    with net.Listen("tcp", sys.argv[1]) as ln, suppress(KeyboardInterrupt):
        serve(ln, sys.argv[2])
