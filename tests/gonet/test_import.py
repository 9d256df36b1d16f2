"""`import gonet` where another module is called runtime."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.helpers import ROOT


def imported(path, program):
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(path), str(ROOT)])}
    command = [sys.executable, "-c", program]
    return subprocess.run(command, env=env, cwd=path, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("file", ["runtime.py", "runtime/__init__.py"])
def test_another_module_called_runtime_is_named(tmp_path, file):
    other = tmp_path / file
    other.parent.mkdir(exist_ok=True)
    other.write_text("x = 1\n")
    r = imported(tmp_path, "import gonet")
    assert r.returncode == 1
    assert r.stderr.splitlines()[-1].startswith("ImportError: gonet needs its own package 'runtime'")
    assert str(other) in r.stderr
    r = imported(tmp_path, "import runtime\ntry: import gonet.net\nexcept ImportError as e: print(e.name, e.path)")
    assert r.stdout == f"runtime {other}\n" and r.stderr == ""


def test_a_namespace_package_of_that_name_has_no_file(tmp_path):
    (tmp_path / "runtime").mkdir()
    # An ordinary package further down the path wins over a namespace package: ours is found.
    assert imported(tmp_path, "import gonet; print('ok')").stdout == "ok\n"
