"""What is kept, by kind and with sizes, and that removing it takes that and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.base.paths import Places
from app.services.changes import Publisher
from app.services.errors import InUse
from app.services.ground import Ground
from app.services.leaving import Leaving
from app.settings.file import SettingsFile
from app.store.ownership import Owner
from app.store.store import open_store


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """A folder in use for some time."""
    data = tmp_path / "data"
    made = Places(data, tmp_path / "logs" / "log")
    for path, size in {
        made.database: 4000,
        data / "inglenook.db-wal": 1000,
        made.settings: 20,
        made.window_state: 30,
        data / "window.lock": 1,
        data / "machine.json": 100,
        made.snapshots / "a" / "b.snap": 7000,
        made.backups / "inglenook-0001-1.db": 300,
        made.logs / "inglenook.log": 50,
        made.models / "own" / "model.gguf": 90_000,
        made.models / "half.gguf.part": 10_000,
        made.models / "notes.txt": 5,
    }.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size)
    return made


class Ring:
    """Counts how often the token was forgotten."""

    def __init__(self) -> None:
        self.forgotten = 0

    def forget(self) -> None:
        self.forgotten += 1


def leaving(places: Places, ring: Ring) -> Leaving:
    return Leaving(places, Ground(Publisher()), SettingsFile(places.settings), ring.forget)


def test_every_kind_is_told_with_its_size_and_models_apart(places: Places) -> None:
    places.settings.write_text("{}")
    told = {one.what: (one.size_bytes, len(one.files), one.models) for one in leaving(places, Ring()).possessions()}
    assert told == {
        "Conversations": (5000, 2, False),
        "Copies of the conversations from before updates": (300, 1, False),
        "What the engine remembers of conversations": (7000, 1, False),
        "Settings": (32, 2, False),
        "What was measured of this computer": (100, 1, False),
        "Marks of running programs": (1, 1, False),
        "Log": (50, 1, False),
        "Models": (100_000, 2, True),
    }


def test_nothing_is_kept_where_nothing_was(tmp_path: Path) -> None:
    nowhere = Places(tmp_path / "none", tmp_path / "none" / "logs")
    assert leaving(nowhere, Ring()).possessions() == []
    assert not (tmp_path / "none").exists()


def test_the_data_goes_and_the_models_stay(places: Places, tmp_path: Path) -> None:
    places.settings.write_text("{}")
    ring = Ring()
    subject = leaving(places, ring)
    assert subject.remove(one for one in subject.possessions() if not one.models) == []
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"data/models/own/model.gguf", "data/models/half.gguf.part", "data/models/notes.txt"}
    assert ring.forgotten == 1


def test_the_models_go_alone(places: Places) -> None:
    places.settings.write_text("{}")
    ring = Ring()
    subject = leaving(places, ring)
    assert subject.remove(one for one in subject.possessions() if one.models) == []
    assert [path.name for path in places.models.rglob("*")] == ["notes.txt"]
    assert places.database.exists()
    assert ring.forgotten == 0


def test_with_everything_no_folder_stays(places: Places, tmp_path: Path) -> None:
    places.settings.write_text("{}")
    (places.models / "notes.txt").unlink()
    subject = leaving(places, Ring())
    assert subject.remove(subject.possessions()) == []
    assert list(tmp_path.iterdir()) == []


def test_links_go_and_what_they_lead_to_stays(places: Places, tmp_path: Path) -> None:
    places.settings.write_text("{}")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious.gguf").write_bytes(b"x")
    (places.models / "linked.gguf").symlink_to(elsewhere / "precious.gguf")
    (places.snapshots / "away").symlink_to(elsewhere)
    subject = leaving(places, Ring())
    assert subject.remove(subject.possessions()) == []
    assert (elsewhere / "precious.gguf").exists()
    assert not places.snapshots.exists()


def test_while_another_one_runs_nothing_goes(places: Places) -> None:
    places.settings.write_text("{}")
    subject = leaving(places, Ring())
    owner = Owner(places.owners)
    try:
        with pytest.raises(InUse):
            subject.remove(subject.possessions())
        with pytest.raises(InUse):
            subject.agree(models=False)
        assert places.database.exists()
    finally:
        owner.close()


def test_one_that_comes_after_the_agreement_keeps_everything_and_that_is_said(places: Places) -> None:
    places.settings.write_text("{}")
    subject = leaving(places, Ring())
    subject.agree(models=False)
    owner = Owner(places.owners)
    try:
        assert "Quit it, then try again" in subject.carry_out()
        assert places.database.exists()
    finally:
        owner.close()
    assert subject.carry_out() == ""
    assert not places.database.exists()


def test_our_own_mark_is_in_nobody_s_way(places: Places) -> None:
    places.settings.write_text("{}")
    places.database.unlink()
    store = open_store(places)
    ground = Ground(Publisher())
    ground.opened(store)
    subject = Leaving(places, ground, SettingsFile(places.settings), Ring().forget)
    other = Owner(places.owners)
    try:
        with pytest.raises(InUse):
            subject.agree(models=False)
        other.close()
        subject.agree(models=False)
    finally:
        other.close()
        store.close()


def test_what_was_agreed_to_goes_at_the_end(places: Places) -> None:
    places.settings.write_text("{}")
    subject = leaving(places, Ring())
    assert subject.carry_out() == ""
    assert places.database.exists()
    subject.agree(models=False)
    assert places.database.exists()
    assert subject.carry_out() == ""
    assert [path.name for path in places.data.iterdir()] == ["models"]
