"""GODEBUG."""

from __future__ import annotations

import pytest

from runtime.debug import parsegodebug
from tests.helpers import runs


@pytest.mark.parametrize(
    "text, paniccrash, schedtrace",
    [
        ("", 0, 0),
        ("paniccrash=1", 1, 0),
        ("schedtrace=1000", 0, 1000),
        ("paniccrash=1,schedtrace=50", 1, 50),
        (" paniccrash=1 , schedtrace=50 ", 1, 50),
        ("paniccrash=0,paniccrash=1", 1, 0),
        ("paniccrash=1,paniccrash=0", 0, 0),
        ("unknown=1,paniccrash=1", 1, 0),
        ("paniccrash", 0, 0),
        ("paniccrash=", 0, 0),
        ("paniccrash=yes", 0, 0),
        ("paniccrash=1,paniccrash=yes", 1, 0),
        ("=1,,=", 0, 0),
        ("__init__=1,__slots__=1", 0, 0),
    ],
)
def test_settings(text, paniccrash, schedtrace):
    d = parsegodebug(text)
    assert (d.paniccrash, d.schedtrace) == (paniccrash, schedtrace)


def test_a_seed_for_the_scheduler():
    assert parsegodebug("").schedseed == 0
    assert parsegodebug("schedseed=7,schedtrace=5").schedseed == 7


def test_it_is_read_from_the_environment():
    program = "from runtime.debug import debug; say(debug.paniccrash, debug.schedtrace)"
    assert runs(program, env={"GODEBUG": "paniccrash=1"}) == "1 0\n"
    assert runs(program, env={"GODEBUG": ""}) == "0 0\n"
