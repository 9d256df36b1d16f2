"""GONET_PURE=1: the sources alone."""

from __future__ import annotations

import glob
import sys

import pytest

from runtime import pure
from tests.helpers import ROOT, runs

MODULES = """
names = ["runtime", "gonet"]
def ours():
    return sorted((n, m.__file__) for n, m in sys.modules.items() if n.partition(".")[0] in names)
"""


def test_every_module_comes_from_its_source():
    program = """
        assert runtime.compiled is False
        wrong = [f for n, f in ours() if not f.endswith(".py")]
        assert not wrong, wrong
        say(len(ours()))
    """
    from tests.helpers import PRELUDE

    assert int(runs(program, prelude=PRELUDE + MODULES, env={"GONET_PURE": "1"})) > 15


@pytest.mark.parametrize("value", ["", "0"])
def test_unset_empty_and_0_leave_the_choice_to_what_is_built(value):
    built = bool(glob.glob(str(ROOT / "runtime" / f"proc.{sys.implementation.cache_tag}*.so")))
    assert runs("say(runtime.compiled)", env={"GONET_PURE": value}) == f"{built}\n"


def test_an_extension_alone_is_not_found(tmp_path):
    from importlib.machinery import EXTENSION_SUFFIXES

    (tmp_path / ("onlyc" + EXTENSION_SUFFIXES[0])).write_bytes(b"")
    with pytest.raises(ModuleNotFoundError, match="exists only compiled"):
        pure._PureFinder.find_spec("runtime.onlyc", [str(tmp_path)])


def test_other_packages_are_left_alone(tmp_path):
    (tmp_path / "mod.py").write_text("")
    assert pure._PureFinder.find_spec("json.mod", [str(tmp_path)]) is None
    assert pure._PureFinder.find_spec("runtimes.mod", [str(tmp_path)]) is None
    assert pure._PureFinder.find_spec("runtime", None) is None
    assert pure._PureFinder.find_spec("runtime.missing", [str(tmp_path)]) is None
    assert pure._PureFinder.find_spec("runtime.mod", [str(tmp_path)]).origin == str(tmp_path / "mod.py")


def test_installing_twice_is_installing_once():
    before = list(sys.meta_path)
    try:
        pure.install()
        pure.install()
        assert sys.meta_path.count(pure._PureFinder) == 1
        assert sys.meta_path[0] is pure._PureFinder or pure._PureFinder in before
    finally:
        sys.meta_path[:] = before


def test_a_subinterpreter_is_refused():
    program = """
    try:
        import _interpreters as subinterpreters
    except ImportError:
        import _xxsubinterpreters as subinterpreters
    source = f"import os, sys; sys.path[:0] = {sys.path!r}\\ntry:\\n import runtime\\nexcept ImportError as e:"
    source += " os.write(1, f'{type(e).__name__}: {e}'.encode())"
    interpreter = subinterpreters.create()
    subinterpreters.run_string(interpreter, source)
    subinterpreters.destroy(interpreter)
    t = go(say, "")
    until_state(t, "dead")
    """
    want = "gonet can only be imported in the main interpreter of a process, not in a subinterpreter"
    assert runs(program) == f"ImportError: {want}\n"
