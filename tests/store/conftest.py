"""A store in a temporary folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.base.paths import Places
from app.store.store import Store, open_store


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path / "data", tmp_path / "logs")


@pytest.fixture
def store(places: Places) -> Iterator[Store]:
    opened = open_store(places)
    yield opened
    opened.close()
    again = open_store(places)
    assert again.check() == []
    again.close()
