"""What comes before all else: the finder behind GONET_PURE=1, and the look for subinterpreters.

The finder imports `runtime` and `gonet` from their .py sources alone.

A built extension module lies beside the .py it was compiled from and is found ahead of it, so choosing the
uncompiled form means not seeing extension modules at all. `runtime/__init__.py` calls both before it
imports anything else; this module must therefore stay uncompiled and import nothing of the two packages.

Invariants
  Once installed, no module below `runtime` or `gonet` that is imported later has an ExtensionFileLoader.
  All other names are left to the finders that were there before.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    ModuleSpec,
    PathFinder,
    SourceFileLoader,
    SourcelessFileLoader,
)
from types import ModuleType
from typing import Any

_PREFIXES = ("runtime.", "gonet.")


class _PureFinder:
    """A meta path finder that knows sources and bytecode, and only below our two packages."""

    @classmethod
    def find_spec(
        cls, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of the source of `fullname`; None where this finder has no say.

        Raises: ModuleNotFoundError for a module that exists only as an extension.
        """
        if path is None or not fullname.startswith(_PREFIXES):
            return None
        for entry in path:
            # Built anew each time: a FileFinder kept would have to be told of invalidate_caches().
            finder = FileFinder(entry, (SourceFileLoader, SOURCE_SUFFIXES), (SourcelessFileLoader, BYTECODE_SUFFIXES))
            spec = finder.find_spec(fullname)
            if spec is not None and spec.loader is not None:
                return spec
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, ExtensionFileLoader):
            raise ModuleNotFoundError(
                f"GONET_PURE is set and {fullname} exists only compiled: {spec.origin}", name=fullname
            )
        return None


def install() -> None:
    """Puts the finder first on sys.meta_path; a second call does nothing.

    Modules already imported stay as they are.
    """
    if _PureFinder not in sys.meta_path:
        sys.meta_path.insert(0, _PureFinder)


def maininterpreter() -> bool:
    """Whether this is not a subinterpreter."""
    for name in ("_interpreters", "_xxsubinterpreters"):
        try:
            subinterpreters = import_module(name)
        except ImportError:
            continue
        return _id(subinterpreters.get_current()) == _id(subinterpreters.get_main())
    return True


def _id(interpreter: Any) -> int:
    return int(interpreter[0] if isinstance(interpreter, tuple) else interpreter)
