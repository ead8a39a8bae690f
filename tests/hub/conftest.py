"""A Hub on loopback with one model, and a folder to fetch it into."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub.downloading import MODEL, NAME
from tests.support.bodies import read_directly
from tests.support.hub.downloads import World


@pytest.fixture
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How bodies are read. Files of tests are small, and would never be read directly."""
    asked = str(getattr(request, "param", "usual"))
    if asked == "direct":
        read_directly(monkeypatch)
    return asked


@pytest.fixture
def world(tmp_path: Path, way: str) -> Iterator[World]:
    made = World(tmp_path / "models", {NAME: MODEL})
    yield made
    made.close()
