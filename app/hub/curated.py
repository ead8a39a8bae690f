"""Good first models for each size of memory: data in `resources/models.json`, known without asking anyone."""

from __future__ import annotations

from pathlib import Path

import msgspec

from app.hub.values import FirstChoice


def first_choices(resources: Path) -> list[FirstChoice]:
    """All of them, from the smallest memory to the largest. A broken file fails loudly, for it is our own."""
    listed = msgspec.json.decode((resources / "models.json").read_bytes(), type=list[FirstChoice])
    return sorted(listed, key=lambda choice: choice.memory_bytes)
