"""asyncio: create_task, joined by gather or await."""

from __future__ import annotations

import asyncio

from . import report


async def work() -> None:
    pass


async def batch(n: int) -> None:
    await asyncio.gather(*[asyncio.create_task(work()) for _ in range(n)])


async def single(n: int) -> None:
    for _ in range(n):
        await asyncio.create_task(work())


loop = asyncio.new_event_loop()
report(lambda n: loop.run_until_complete(batch(n)), lambda n: loop.run_until_complete(single(n)))
loop.close()
