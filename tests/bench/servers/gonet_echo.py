"""gonet: a goroutine a connection, Read and Write on one buffer. GONET_PURE=1 in the environment runs it uncompiled."""

from __future__ import annotations

from gonet import go, net

from . import ready, size_argument

SIZE = size_argument()


def handle(conn: net.Conn) -> None:
    with conn:
        buf = bytearray(SIZE)
        view = memoryview(buf)
        while n := conn.Read(buf):
            conn.Write(view[:n])


ln = net.Listen("tcp", "127.0.0.1:0")
ready(ln.Addr().Port)
for conn in ln:
    go(handle, conn)
