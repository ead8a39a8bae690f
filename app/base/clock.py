"""Wall time for what is stored. Durations use time.perf_counter where they are measured."""

from __future__ import annotations

import time


def now_ms() -> int:
    """Milliseconds since the Unix epoch, UTC."""
    return time.time_ns() // 1_000_000
