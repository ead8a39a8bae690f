"""Makes the bodies of tests long enough to be read from their connections directly."""

from __future__ import annotations

import httpcore2
import pytest

from app.privacy import bodies

FIRST_BYTES = 1024
"""What comes at first, and through h11: an answer's head and the beginning of its body."""


def read_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on whatever does not come with the head is read directly, a little at a time."""
    monkeypatch.setattr(httpcore2.HTTP11Connection, "READ_NUM_BYTES", FIRST_BYTES)
    monkeypatch.setattr(bodies, "READ_BYTES", 3000)
    monkeypatch.setattr(bodies, "WORTH_BYTES", 1)
