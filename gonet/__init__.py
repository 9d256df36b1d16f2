"""Go's concurrency for Python: `go` starts a goroutine, `gonet.net` has connections whose calls look blocking.

    from gonet import go, net

    ln = net.Listen("tcp", "127.0.0.1:8080")
    for conn in ln:
        go(handle, conn)

Keywords and builtins of Go are lower-case here, everything else is spelled as in Go. The scheduler, timers and the
netpoller are in the package `runtime`, which this one is built on.
"""

from __future__ import annotations

import os as _os

import runtime as _runtime

_file = _os.path.abspath(getattr(_runtime, "__file__", None) or "(no file)")
if not getattr(_runtime, "__gonet__", False):
    raise ImportError(
        f"gonet needs its own package 'runtime', but another module of that name comes first on sys.path: {_file}",
        name="runtime",
        path=_file,
    )

from runtime import G, go  # noqa: E402
from runtime.chan import Hchan as chan  # noqa: E402
from runtime.select import close, recv, select, send  # noqa: E402

__all__ = ["G", "chan", "close", "go", "recv", "select", "send"]

__version__ = _runtime.__version__
