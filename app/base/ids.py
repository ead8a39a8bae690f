"""Time-sortable ids: UUID version 7 (RFC 9562), as the usual 36 characters.

Ids made by one process ascend strictly, also within a millisecond and when the clock steps back.
"""

from __future__ import annotations

import os
import threading
import time
import uuid

_lock = threading.Lock()
_last = 0


def new_id() -> str:
    """A new UUIDv7: 48 bits of milliseconds, then 74 random bits; strictly greater than the one before."""
    global _last
    random = int.from_bytes(os.urandom(10), "big")
    value = (time.time_ns() // 1_000_000 & (1 << 48) - 1) << 80
    value |= 0x7 << 76 | (random >> 64 & 0xFFF) << 64 | 0b10 << 62 | random & (1 << 62) - 1
    with _lock:
        if value <= _last:
            value = _last + 1  # the low 62 bits carry for longer than any burst of ids lasts
        _last = value
    return str(uuid.UUID(int=value))
