"""uvloop: asyncio's program on its loop."""

from __future__ import annotations

import uvloop

from .asyncio_ops import main

if __name__ == "__main__":
    main(uvloop.new_event_loop())
