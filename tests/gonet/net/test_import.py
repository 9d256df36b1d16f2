"""What `import gonet.net` does and does not bring along."""

from __future__ import annotations

import subprocess
import sys

from gonet import net

HEAVY = "argparse asyncio dataclasses encodings.idna inspect ipaddress logging ssl subprocess unittest".split()


def test_nothing_heavy_is_imported() -> None:
    program = f"import gonet.net, sys; print(*sorted(set({HEAVY!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-S", "-c", program], capture_output=True, text=True, check=False)
    if "No module named 'greenlet'" in done.stderr:  # -S keeps site-packages, and what .pth files import, away
        path = [p for p in sys.path if p]
        program = f"import sys; sys.path[:] = {path!r}; {program}"
        done = subprocess.run([sys.executable, "-S", "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout.split(), done.stderr) == ([], "")


def test_every_public_name_is_there() -> None:
    assert sorted(set(net.__all__)) == sorted(net.__all__)
    for name in net.__all__:
        assert getattr(net, name) is not None
