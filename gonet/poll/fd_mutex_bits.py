"""The bits of an fdMutex's word; fd_mutex.py has the table.

A module of its own so that compiled users can hold them as C values.
"""

from __future__ import annotations

mutexClosed = 1 << 0
mutexRLock = 1 << 1
mutexWLock = 1 << 2
mutexRef = 1 << 3
mutexRefMask = (1 << 20) - 1 << 3
mutexRWait = 1 << 23
mutexRMask = (1 << 20) - 1 << 23
mutexWWait = 1 << 43
mutexWMask = (1 << 20) - 1 << 43
