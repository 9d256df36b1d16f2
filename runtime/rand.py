"""Cheap random numbers, for the scheduler's own choices.

Mirrors Go src/runtime/rand.go cheaprand, cheaprandn. Differs: one linear congruential generator for all threads, where
Go has a wyrand on each M; of its 64 bits the upper 32 are used. Two threads that draw at once on a free-threaded build
may draw the same number, which does no harm to those who choose by it. Not for secrets.

Callers: any thread.
"""

from __future__ import annotations

import os

__all__ = ["cheaprand", "cheaprandn", "cheapseed"]

_MUL = 6364136223846793005  # Knuth's MMIX
_ADD = 1442695040888963407
_M64 = 0xFFFFFFFFFFFFFFFF

_state = 0


def cheaprand() -> int:
    """A number from 0 to 2**32 - 1. Source: Go src/runtime/rand.go cheaprand."""
    global _state
    x = (_state * _MUL + _ADD) & _M64
    _state = x
    return x >> 32


def cheaprandn(n: int) -> int:
    """A number from 0 to n - 1, 1 <= n < 2**32. Source: Go src/runtime/rand.go cheaprandn."""
    x = cheaprand()
    return (x * n) >> 32


def cheapseed(seed: int) -> None:
    """Begin a sequence that depends on seed alone, an int of any size."""
    global _state
    _state = seed & _M64
    for _ in range(4):  # seeds that lie close together have nothing in common after these
        cheaprand()


cheapseed(int.from_bytes(os.urandom(8), "little"))
