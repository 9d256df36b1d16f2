"""Go's runtime in Python: goroutines on greenlets, a netpoller, timers, a monitor.

The package imports greenlet and the standard library only. `gonet` is built on it and is what programs import; here
are the functions of Go's package runtime, under their names.
"""

from __future__ import annotations

import os as _os
import sys as _sys
from warnings import warn as _warn

from runtime import pure as _pure

if not _pure.maininterpreter():  # signals and forks are the process's; greenlet refuses only from Python 3.12 on
    raise ImportError("gonet can only be imported in the main interpreter of a process, not in a subinterpreter")
if _os.environ.get("GONET_PURE", "0") not in ("", "0"):
    _pure.install()

from runtime import deadlock as _deadlock  # noqa: F401  imported now, not in the middle of something
from runtime import netpoll_epoll as _netpoll_epoll  # noqa: F401
from runtime import proc as _proc
from runtime import rawsys as _rawsys
from runtime import sysmon as _sysmon  # noqa: F401
from runtime.fork import install as _install
from runtime.gmp import G
from runtime.main import schedinit as _schedinit
from runtime.mthread import GOMAXPROCS, LockOSThread, NumCPU, UnlockOSThread
from runtime.newproc import go
from runtime.panic import Error, SetPanicHook
from runtime.proc import Goexit, Gosched, NumGoroutine
from runtime.syscall import Syscall
from runtime.traceback import Stack

__all__ = [
    "GOMAXPROCS",
    "Error",
    "G",
    "Goexit",
    "Gosched",
    "LockOSThread",
    "NumCPU",
    "NumGoroutine",
    "SetPanicHook",
    "Stack",
    "Syscall",
    "UnlockOSThread",
    "Version",
    "compiled",
    "go",
]

__version__ = "0.1.0"
__gonet__ = True  # how gonet knows this package from another of its name

if not _rawsys.compiled:
    from runtime import netpoll_pure as _netpoll_pure  # noqa: F401

compiled: bool = not (_proc.__file__ or "").endswith(".py")
"""Whether the scheduler runs as an extension module; False under GONET_PURE=1 and where there was no compiler."""


def Version() -> str:
    """The version of gonet and what it runs on, as "gonet0.1.0 cpython3.11.7".

    Source: Go src/runtime/extern.go Version.
    """
    return f"gonet{__version__} {_sys.implementation.name}{_sys.version.split()[0]}"


_schedinit()
_install()

if not getattr(_sys, "_is_gil_enabled", lambda: True)():
    _warn(
        "gonet runs without the GIL, for which only its atomic types are made: goroutines may hang or crash, with "
        "GOMAXPROCS above 1 above all. PYTHON_GIL=1 turns the GIL on",
        RuntimeWarning,
        stacklevel=2,
    )
