"""The loop of a peer: one JSON line in, one out. Native code prints, so the real stdout is kept aside for answers."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any


def answer_lines(first: dict[str, Any], answer: Callable[[dict[str, Any]], dict[str, Any]], out: int) -> None:
    """Writes `first`, then answers every line of stdin until its end. `out` comes from keep_stdout()."""
    with os.fdopen(out, "wb") as stream:
        stream.write(json.dumps(first).encode() + b"\n")
        stream.flush()
        for line in sys.stdin.buffer:
            stream.write(json.dumps(answer(json.loads(line))).encode() + b"\n")
            stream.flush()


def keep_stdout() -> int:
    """A copy of descriptor 1, which from now on leads to stderr. To be called before any native code is loaded."""
    kept = os.dup(1)
    os.dup2(2, 1)
    return kept
