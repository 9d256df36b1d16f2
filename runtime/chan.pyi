# What type checkers see of chan.py: Hchan is generic there, which an extension class cannot be.

from collections.abc import Iterator
from types import GenericAlias
from typing import Any, Generic, SupportsIndex, TypeVar

from runtime.asm import mutex
from runtime.gmp import G, WaitLock

__all__ = [
    "Hchan",
    "Sudog",
    "acquireSudog",
    "afterfork",
    "chanrecv",
    "chansend",
    "checkbubble",
    "closechan",
    "dequeueSudoG",
    "releaseSudog",
    "selectDone",
    "selectnbrecv",
    "selectnbsend",
    "timerchandrain",
]

T = TypeVar("T")

class selectDone(WaitLock):
    done: bool
    won: Sudog | None
    def __init__(self) -> None: ...

class Sudog(WaitLock):
    c: Any
    g: Any
    elem: Any
    mode: int
    state: int
    next: Sudog | None
    prev: Sudog | None
    sel: selectDone | None
    index: int
    def __init__(self) -> None: ...

def acquireSudog(c: Hchan[Any], mode: int) -> Sudog: ...
def releaseSudog(sg: Sudog) -> int: ...
def dequeueSudoG(sg: Sudog, gp: G) -> bool: ...
def selectnbsend(c: Hchan[T], v: T) -> bool: ...
def selectnbrecv(c: Hchan[Any]) -> Any: ...
def checkbubble(c: Hchan[Any], what: str) -> int: ...
def chansend(c: Hchan[T], v: T) -> int: ...
def chanrecv(c: Hchan[Any]) -> Any: ...
def closechan(c: Hchan[Any] | None) -> int: ...
def timerchandrain(c: Hchan[Any]) -> bool: ...
def afterfork(ghosts: list[G]) -> None: ...

class Hchan(mutex, Generic[T]):
    qcount: int
    dataqsiz: int
    sendx: int
    recvx: int
    version: int
    closed: bool
    buf: list[Any] | None
    recvfirst: Sudog | None
    recvlast: Sudog | None
    sendfirst: Sudog | None
    sendlast: Sudog | None
    def __init__(self, cap: SupportsIndex = 0) -> None: ...
    def send(self, v: T, /) -> None: ...
    # None once closed and drained: Any spares those who know that it is not a check.
    def recv(self) -> T | Any: ...
    def recv2(self) -> tuple[T | Any, bool]: ...
    def close(self) -> None: ...
    @property
    def cap(self) -> int: ...
    def __len__(self) -> int: ...
    def __bool__(self) -> bool: ...
    def __iter__(self) -> Iterator[T]: ...
    def __next__(self) -> T: ...
    def __class_getitem__(cls, item: Any) -> GenericAlias: ...
