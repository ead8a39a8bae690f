"""A person's own folder of models, their home folder, and a trash that is theirs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "home" / "models"
    path.mkdir(parents=True)
    return path


@pytest.fixture
def person() -> Path:
    return Path.home()


@pytest.fixture
def trash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The real trash of the system, in this test's folder."""
    home = tmp_path / "trash home"
    monkeypatch.setattr("send2trash.plat_other.XDG_DATA_HOME", os.fsencode(home))
    monkeypatch.setattr("send2trash.plat_other.HOMETRASH_B", os.fsencode(home / "Trash"))
    return home / "Trash" / "files"
