"""gevent: StreamServer, a greenlet a connection; recv and sendall on gevent's sockets."""

from __future__ import annotations

from gevent.server import StreamServer
from gevent.socket import socket

from . import BACKLOG, nodelay, ready, size_argument

SIZE = size_argument()


def handle(conn: socket, _address: tuple[str, int]) -> None:
    buf = bytearray(SIZE)
    view = memoryview(buf)
    while n := conn.recv_into(buf):
        conn.sendall(view[:n])


server = StreamServer(("127.0.0.1", 0), handle, backlog=BACKLOG)
server.start()
nodelay(server.socket)
ready(server.server_port)
server.serve_forever()
