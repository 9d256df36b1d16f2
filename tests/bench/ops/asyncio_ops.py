"""asyncio: Queue, wait(FIRST_COMPLETED), Lock, sleep(0), call_later.

It has no queue without a buffer. The select is a wait on a task for each get: the task that was not ready stays for the
next wait, the other is made anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from . import report

HOUR = 3600.0
CANCELLED = 100
"""A cancelled timer is only marked, and removed by the loop: so often it gets the chance."""


async def round_trip(n: int) -> None:
    there: asyncio.Queue[int] = asyncio.Queue()
    back: asyncio.Queue[int] = asyncio.Queue()

    async def answer() -> None:
        for _ in range(n):
            await back.put(await there.get())

    other = asyncio.create_task(answer())
    for i in range(n):
        await there.put(i)
        await back.get()
    await other


async def buffered(n: int) -> None:
    queue: asyncio.Queue[int] = asyncio.Queue(16)
    for i in range(n):
        await queue.put(i)
        await queue.get()


async def stream(n: int) -> None:
    queue: asyncio.Queue[int] = asyncio.Queue(16)

    async def produce() -> None:
        for i in range(n):
            await queue.put(i)

    other = asyncio.create_task(produce())
    for _ in range(n):
        await queue.get()
    await other


async def select_ready(n: int) -> None:
    queues: list[asyncio.Queue[int]] = [asyncio.Queue(1), asyncio.Queue(1)]
    tasks = {asyncio.create_task(queue.get()): queue for queue in queues}
    for i in range(n):
        await queues[i & 1].put(i)
        await _first(tasks)
    await _cancel(tasks)


async def select_wait(n: int) -> None:
    queues: list[asyncio.Queue[int]] = [asyncio.Queue(1), asyncio.Queue(1)]

    async def send() -> None:
        for i in range(n):
            await queues[i & 1].put(i)
            await asyncio.sleep(0)

    tasks = {asyncio.create_task(queue.get()): queue for queue in queues}
    other = asyncio.create_task(send())
    seen = 0
    while seen < n:
        seen += await _first(tasks)
    await other
    await _cancel(tasks)


async def _first(tasks: dict[asyncio.Task[int], asyncio.Queue[int]]) -> int:
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        queue = tasks.pop(task)
        tasks[asyncio.create_task(queue.get())] = queue
    return len(done)


async def _cancel(tasks: dict[asyncio.Task[int], asyncio.Queue[int]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def mutex(n: int) -> None:
    lock = asyncio.Lock()
    for _ in range(n):
        await lock.acquire()
        lock.release()


async def gosched(n: int) -> None:
    await asyncio.gather(_yield(n // 2), _yield(n // 2))


async def _yield(n: int) -> None:
    for _ in range(n):
        await asyncio.sleep(0)


async def timer(n: int) -> None:
    loop = asyncio.get_running_loop()
    for i in range(n):
        loop.call_later(HOUR, _ignore).cancel()
        if i % CANCELLED == 0:
            await asyncio.sleep(0)


async def deadline(n: int) -> None:
    loop = asyncio.get_running_loop()
    handle = loop.call_later(HOUR, _ignore)
    for i in range(n):
        handle.cancel()
        handle = loop.call_later(HOUR, _ignore)
        if i % CANCELLED == 0:
            await asyncio.sleep(0)
    handle.cancel()


def _ignore() -> None:
    pass


async def _nothing() -> None:
    pass


class Crowd:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.tasks: list[asyncio.Task[None]] = []
        self.count = 0

    def single(self, n: int) -> None:
        async def each() -> None:
            for _ in range(n):
                await asyncio.create_task(_nothing())

        self.loop.run_until_complete(each())

    def park(self, n: int) -> None:
        async def wait() -> None:
            self.count += 1
            await self.queue.get()

        async def park() -> None:
            self.queue: asyncio.Queue[int] = asyncio.Queue()
            self.tasks = [asyncio.create_task(wait()) for _ in range(n)]
            while self.count < n:
                await asyncio.sleep(0)

        self.loop.run_until_complete(park())

    def wake(self, n: int) -> None:
        async def wake() -> None:
            for i in range(n):
                self.queue.put_nowait(i)
            await asyncio.gather(*self.tasks)

        self.loop.run_until_complete(wake())

    def start(self, n: int) -> None:
        async def run() -> None:
            self.count += 1

        self.tasks = [self.loop.create_task(run()) for _ in range(n)]
        assert self.count == 0

    def finish(self, n: int) -> None:
        async def finish() -> None:
            await asyncio.gather(*self.tasks)

        self.loop.run_until_complete(finish())
        assert self.count == n


OPS: dict[str, Callable[[int], Awaitable[Any]]] = {
    "round_trip": round_trip,
    "buffered": buffered,
    "stream": stream,
    "select": select_ready,
    "select_wait": select_wait,
    "mutex": mutex,
    "gosched": gosched,
    "timer": timer,
    "deadline": deadline,
}


def main(loop: asyncio.AbstractEventLoop) -> None:
    """Measures and prints, with this loop."""

    def on_loop(op: Callable[[int], Any]) -> Callable[[int], None]:
        return lambda n: loop.run_until_complete(op(n))

    report({name: on_loop(op) for name, op in OPS.items()}, Crowd(loop))
    loop.close()


if __name__ == "__main__":
    main(asyncio.new_event_loop())
