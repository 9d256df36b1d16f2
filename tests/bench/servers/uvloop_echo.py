"""uvloop: a Protocol that writes back what data_received brings."""

from __future__ import annotations

import asyncio

import uvloop

from . import BACKLOG, ready, size_argument


class Echo(asyncio.Protocol):
    transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


async def main() -> None:
    size_argument()
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", 0, backlog=BACKLOG)
    ready(server.sockets[0].getsockname()[1])
    await server.serve_forever()


uvloop.run(main())
