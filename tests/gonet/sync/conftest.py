"""A collection after each test (nothing_left_over) looks at what the tests make, and not at pytest and its items."""

from __future__ import annotations

import gc


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()
