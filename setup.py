"""Builds the extension modules; whatever else the package is stands in pyproject.toml.

Every X.pxd below runtime/ and gonet/ that has an X.pyx or an X.py beside it becomes the extension module of that
dotted name, from the .pyx where both exist: they are then the C and the portable form of one module, and the .py
is what runs uncompiled. A .pxd with neither beside it only declares.

It is all or nothing: a compiled module that cimports another cannot be imported without it. Where there is no
Cython, no C compiler, no Python.h or no greenlet.h, and also when something does not compile, the installation
goes on without extension modules and one line says why.

Environment
  GONET_COMPILE=0   build no extension module
  GONET_COMPILE=1   fail instead of going on uncompiled
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pathlib
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from importlib.machinery import EXTENSION_SUFFIXES

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = pathlib.Path(__file__).resolve().parent
PACKAGES = ("runtime", "gonet")
BUILD = pathlib.Path("build") / f"cython-{sys.implementation.cache_tag}"  # for one Python: .c files and keys

DIRECTIVES = {
    "language_level": 3,
    "annotation_typing": False,  # annotations are for mypy; C types stand in the .pxd
    "binding": False,
    "embedsignature": True,
    "embedsignature.format": "clinic",  # what inspect.signature() reads from a function that is not bound
    "boundscheck": False,
    "wraparound": True,
    "initializedcheck": False,
    "nonecheck": True,  # a typed None would read arbitrary memory
    "cdivision": True,
    "freethreading_compatible": False,  # not shown to be: the wake-up protocols have no fences
    "show_performance_hints": False,
}
# What differs for one module, each with the measurement that asked for it: {"runtime.x": {"nonecheck": False}}.
MODULE_DIRECTIVES: dict[str, dict[str, object]] = {
    # Methods without arguments are called directly: 3 ns of 25. Those with one take no keyword: here they have none.
    # An index into a channel's buffer is never negative: 2 % of an item.
    "runtime.chan": {"always_allow_keywords": False, "wraparound": False},
    "gonet.sync.mutex": {"always_allow_keywords": False},
    "gonet.sync.rwmutex": {"always_allow_keywords": False},
}

CFLAGS = ["-O2", "-fwrapv", "-fno-strict-aliasing", "-g0"]
CFLAGS += ["-Wno-all", "-Wno-extra", "-Wno-deprecated-declarations", "-Werror=implicit-function-declaration"]
# Cython passes a subclass's struct where the base's is declared, when a cpdef method with defaults is overridden in
# a final class. GCC 14 calls that an error.
CFLAGS += ["-Wno-incompatible-pointer-types"]


def modules() -> dict[str, str]:
    """What is compiled: {dotted name: path of its source, relative to ROOT}."""
    found = {}
    for package in PACKAGES:
        for pxd in sorted((ROOT / package).rglob("*.pxd")):
            source = next((s for s in (pxd.with_suffix(".pyx"), pxd.with_suffix(".py")) if s.exists()), None)
            if source is not None and pxd.stem != "__init__":
                source = source.relative_to(ROOT)
                found[".".join(source.with_suffix("").parts)] = str(source)
    return found


class Uncompiled(Exception):
    """Why there will be no extension modules, in a few words."""


@contextlib.contextmanager
def stderr_to(path: str) -> Iterator[None]:
    """Sends descriptor 2, which compilers inherit, to a file."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(path, "wb") as log:
            os.dup2(log.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


class BuildExt(build_ext):
    """build_ext that builds all the extension modules or none.

    In place it builds those that have changed, by content: the module's own source, any .pxd, this file, the
    versions of Cython and greenlet. (Dates would do for a source, but not for who cimports what from where.)
    It also removes what would be imported and should not be: extension modules whose .pxd is gone, and all
    those of an earlier build where now none is possible.
    """

    def finalize_options(self) -> None:
        super().finalize_options()
        if self.parallel is None:
            self.parallel = os.cpu_count()

    def run(self) -> None:
        self.in_place = bool(self.inplace)  # setuptools clears inplace while it builds
        self.keys: dict[str, str] = {}
        if self.in_place:
            self.remove_extensions(".", keep=set(modules()))
        self.remove_extensions(self.build_lib, keep=set())  # an earlier build's must not get into a wheel
        super().run()
        for name, key in self.keys.items():  # only now are they all in place
            self.key_file(name).write_text(key)

    def build_extensions(self) -> None:
        """Called by run() with the C compiler configured; leaves in self.extensions what it built."""
        try:
            include = self.check_tools()
            if self.in_place:
                self.extensions = [ext for ext in self.extensions if self.outdated(ext)]
            self.cythonize(include)
            try:
                super().build_extensions()
            except Exception as err:  # the compiler has printed where
                raise Uncompiled(f"the C compiler fails ({type(err).__name__})") from None
        except Uncompiled as why:
            if os.environ.get("GONET_COMPILE") == "1":
                raise SystemExit(f"gonet: cannot be compiled: {why}") from None
            print(f"gonet: not compiled, will run as pure Python, slower: {why}", file=sys.stderr)
            self.extensions = []
            self.keys = {}
            if self.in_place:
                self.remove_extensions(".", keep=set())
            self.remove_extensions(self.build_lib, keep=set())

    def check_tools(self) -> str:
        """Finds out, quietly, whether anything can be compiled. Returns the directory of greenlet.h."""
        if os.environ.get("GONET_COMPILE") == "0":
            raise Uncompiled("GONET_COMPILE=0")
        if platform.python_implementation() != "CPython":
            raise Uncompiled(f"this is {platform.python_implementation()}, not CPython")
        try:
            import Cython  # noqa: F401
            import greenlet
        except ImportError as err:
            raise Uncompiled(f"{err.name} is not installed") from None
        include = os.path.dirname(greenlet.__file__)
        if shutil.which(compiler := self.compiler.compiler_so[0]) is None:
            raise Uncompiled(f"there is no C compiler, {compiler} (Debian: apt-get install gcc python3-dev)")
        with tempfile.TemporaryDirectory() as scratch:
            probe, log = os.path.join(scratch, "probe.c"), os.path.join(scratch, "log")
            with open(probe, "w") as f:
                f.write('#include <Python.h>\n#include "greenlet.h"\nint probe(void) { return 0; }\n')
            try:
                with stderr_to(log):
                    objects = self.compiler.compile(
                        [probe], output_dir=scratch, include_dirs=[include], extra_postargs=CFLAGS
                    )
                    self.compiler.link_shared_object(objects, os.path.join(scratch, "probe.so"))
            except Exception as err:
                with open(log, errors="replace") as f:
                    said = f.read()
                for header, remedy in (
                    ("Python.h", "Debian: apt-get install python3-dev"),
                    ("greenlet.h", "reinstall greenlet"),
                ):
                    if f"{header}:" in said:
                        raise Uncompiled(f"{header} not found ({remedy})") from None
                raise Uncompiled(f"the C compiler does not work: {err}") from None
        return include

    def cythonize(self, include: str) -> None:
        """Replaces the sources of self.extensions by the C files made from them."""
        if not self.extensions:
            return
        from Cython.Build import cythonize

        sources = {}
        for special in (None, *MODULE_DIRECTIVES):
            group = [e for e in self.extensions if (e.name if e.name in MODULE_DIRECTIVES else None) == special]
            try:
                made = cythonize(
                    [Extension(ext.name, list(ext.sources)) for ext in group],
                    include_path=[str(ROOT)],
                    build_dir=str(BUILD),
                    compiler_directives={**DIRECTIVES, **MODULE_DIRECTIVES.get(special or "", {})},
                    nthreads=self.parallel if len(group) > 1 else 0,
                    force=True,
                    quiet=True,
                )
            except Exception as err:  # Cython has printed where
                raise Uncompiled(f"Cython: {err}") from None
            sources.update((ext.name, ext.sources) for ext in made)
        for ext in self.extensions:
            ext.sources = sources[ext.name]
            ext.include_dirs = [include]
        self.force = True

    def outdated(self, ext: Extension) -> bool:
        """Whether the extension module in place is missing or made from something else; notes its key."""
        import Cython
        import greenlet

        key = hashlib.sha256(f"{sys.version} {Cython.__version__} {greenlet.__version__}".encode())
        declarations = [pxd for package in PACKAGES for pxd in sorted(pathlib.Path(package).rglob("*.pxd"))]
        for path in ["setup.py", *ext.sources, *declarations]:
            content = pathlib.Path(path).read_bytes()
            key.update(f"{path} {len(content)}\n".encode() + content)
        kept = self.key_file(ext.name)
        if os.path.exists(self.get_ext_filename(ext.name)) and kept.exists() and kept.read_text() == key.hexdigest():
            return False
        kept.unlink(missing_ok=True)
        self.keys[ext.name] = key.hexdigest()
        return True

    def key_file(self, name: str) -> pathlib.Path:
        """Where the key is kept that the extension module in place was built with."""
        (BUILD / "keys").mkdir(parents=True, exist_ok=True)
        return BUILD / "keys" / name

    def copy_extensions_to_source(self) -> None:
        for ext in self.extensions:
            # A process that has the old one mapped keeps it; written over, it would crash.
            pathlib.Path(self.get_ext_filename(ext.name)).unlink(missing_ok=True)
        super().copy_extensions_to_source()

    def remove_extensions(self, top: str, keep: set[str]) -> None:
        """Removes our extension modules below `top`, but not those named in `keep`.

        Of modules that are compiled, only what this Python would import: other versions have theirs there too.
        """
        compiled = modules()
        for package in PACKAGES:
            for path in (p for kind in ("*.so", "*.pyd") for p in pathlib.Path(top, package).rglob(kind)):
                stem, dot, suffix = path.name.partition(".")
                name = ".".join((*path.relative_to(top).parent.parts, stem))
                if name not in keep and (name not in compiled or dot + suffix in EXTENSION_SUFFIXES):
                    path.unlink()


if __name__ == "__main__":
    setup(
        ext_modules=[Extension(name, [source], extra_compile_args=CFLAGS) for name, source in modules().items()],
        cmdclass={"build_ext": BuildExt},
    )
