"""Things of which there can be one only: what others know them by would not know of a copy.

Mirrors the noCopy of Go src/sync/cond.go, by which Go's vet finds such copies. Differs: it is refused when it happens.
"""

from __future__ import annotations

import sys
from typing import NoReturn

__all__ = ["nocopy"]


def nocopy(x: object, what: str = "") -> NoReturn:
    """For __reduce__: refuse to copy or pickle x, called `what`, or else by its class and that one's package.

    Raises: TypeError.
    """
    if not what:
        t = type(x)
        package, _, module = t.__module__.rpartition(".")
        if getattr(sys.modules.get(package), t.__name__, None) is t:
            module = package.rpartition(".")[2]
        what = f"{'an' if module[:1] in 'aeiou' else 'a'} {module}.{t.__name__}"
    raise TypeError(f"{what} cannot be copied or pickled")
