"""asyncio streams: a task a connection; read up to the buffer's size, write, drain."""

from __future__ import annotations

import asyncio

from . import BACKLOG, ready, size_argument

SIZE = size_argument()


async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(SIZE):
        writer.write(data)
        await writer.drain()
    writer.close()


async def main() -> None:
    server = await asyncio.start_server(handle, "127.0.0.1", 0, backlog=BACKLOG)
    ready(server.sockets[0].getsockname()[1])
    await server.serve_forever()


asyncio.run(main())
