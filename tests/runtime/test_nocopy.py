"""The refusal to copy: how it names what it is about. That each such thing refuses is tested with the thing."""

from __future__ import annotations

import pytest

from gonet.sync import Mutex, errgroup
from gonet.sync.atomic import Int32
from runtime.nocopy import nocopy


class Own:
    pass


@pytest.mark.parametrize(
    "x, what, want",
    [
        (Mutex(), "", "a sync.Mutex"),  # its package has the name too
        (errgroup.Group(), "", "an errgroup.Group"),  # there it is the module's alone
        (Int32(), "", "an atomic.Int32"),
        (Own(), "", "a test_nocopy.Own"),
        (Own(), "one of these", "one of these"),
    ],
)
def test_what_is_refused_is_named(x, what, want):
    with pytest.raises(TypeError, match=f"^{want} cannot be copied or pickled$"):
        nocopy(x, what)
