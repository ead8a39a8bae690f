"""Full disks, read-only folders, locks, damaged and foreign files: said plainly, nothing overwritten."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlcipher3 import dbapi2

from app.base.paths import Places
from app.store import errors
from app.store.store import open_store
from tests.store.making import exchange
from tests.store.test_processes import ROOT, Start, let_go, line, start

__all__ = ["start"]

# A mount namespace of its own, where this account may make one: the mount ends with the child.
NAMESPACES = (["unshare", "--mount"], ["unshare", "--user", "--map-root-user", "--mount"])


def in_namespace(mount: str, verb: str, folder: Path) -> list[str] | None:
    """The lines of a child that runs after the shell command `mount`, or None where namespaces are not allowed."""
    child = f'{mount} && exec "{sys.executable}" -m tests.store.children {verb} "{folder}"'
    for namespace in NAMESPACES:
        try:
            probe = subprocess.run([*namespace, "sh", "-c", mount], capture_output=True, check=False)
        except FileNotFoundError:
            return None
        if probe.returncode == 0:
            done = subprocess.run(
                [*namespace, "sh", "-c", child], cwd=ROOT, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stderr
            return done.stdout.splitlines()
    return None


@pytest.fixture
def filled(places: Places) -> Places:
    """A closed store with some content."""
    store = open_store(places)
    for number in range(30):
        exchange(store, f"question {number} " * 50, f"answer {number} " * 200)
    store.close()
    return places


def files(places: Places) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in places.data.glob("inglenook.db*")}


def test_a_full_disk_costs_only_what_did_not_fit(places: Places, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mount = f'mount -t tmpfs -o size=2m tmpfs "{small}"'
    lines = in_namespace(mount, "fill", small / "data")
    if lines is not None:
        assert lines[:2] == ["went on", "disk_full"]
    lines = subprocess.run(
        [sys.executable, "-m", "tests.store.children", "cramp", str(places.data)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert lines == ["went on", "done"]


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that other accounts may enter, which pytest's own are not."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.mark.parametrize("existing", [True, False])
def test_a_folder_that_may_not_be_written(public_folder: Path, existing: bool) -> None:
    places = Places(public_folder / "data", public_folder / "logs")
    if existing:
        store = open_store(places)
        exchange(store)
        store.close()
        for path in (places.data, places.owners):
            path.chmod(0o555)
        places.database.chmod(0o444)
    else:
        public_folder.chmod(0o555)
    before = files(places)
    command = [sys.executable, "-m", "tests.store.children", "unprivileged", str(places.data)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[0] == "folder_read_only"
    read_only = f'mount --bind "{public_folder}" "{public_folder}" && mount -o remount,ro,bind "{public_folder}"'
    lines = in_namespace(read_only, "try_to_open", places.data)
    assert lines is None or lines[0] == "folder_read_only"
    assert files(places) == before
    for path in (public_folder, places.data, places.owners):
        if path.exists():
            path.chmod(0o755)


def test_another_program_that_holds_a_write_lock(filled: Places, start: Start) -> None:
    child = start("hold", "writing")
    assert line(child) == "held"
    store = open_store(filled, busy_timeout_s=0.1)
    assert len(store.conversations.list()) == 30  # reading goes on
    chat = store.conversations.list()[0].id
    with pytest.raises(errors.DatabaseLocked):
        store.conversations.touch(chat).result()
    with pytest.raises(errors.DatabaseLocked):
        store.check()
    let_go(child)
    child.wait()
    store.conversations.touch(chat).result()
    store.close()


def test_a_short_lock_is_waited_for(filled: Places, start: Start) -> None:
    child = start("hold", "writing")
    assert line(child) == "held"
    store = open_store(filled, busy_timeout_s=60)
    write = store.conversations.touch(store.conversations.list()[0].id)
    let_go(child)
    write.result()
    store.close()


def test_another_program_that_holds_everything(filled: Places, start: Start) -> None:
    child = start("hold", "altogether")
    assert line(child) == "held"
    with pytest.raises(errors.DatabaseLocked):
        open_store(filled, busy_timeout_s=0.1)
    let_go(child)
    child.wait()
    open_store(filled).close()


def test_not_a_database(places: Places) -> None:
    places.data.mkdir()
    places.database.write_bytes(b"Dear diary, " * 1000)
    before = files(places)
    with pytest.raises(errors.DatabaseCorrupt) as caught:
        open_store(places)
    assert str(places.database) in caught.value.sentence
    assert files(places) == before
    assert list(places.owners.iterdir()) == []


def test_somebody_else_s_database(places: Places) -> None:
    places.data.mkdir()
    connection = dbapi2.connect(str(places.database))
    connection.execute("CREATE TABLE recipes (name)")
    connection.close()
    before = files(places)
    with pytest.raises(errors.DatabaseCorrupt):
        open_store(places)
    assert files(places) == before


@pytest.mark.parametrize("first_page", [0, 1, 3])
def test_overwritten_pages(filled: Places, first_page: int) -> None:
    data = bytearray(filled.database.read_bytes())
    noise = os.urandom(len(data) - first_page * 4096)
    data[first_page * 4096 :] = noise
    filled.database.write_bytes(data)
    with pytest.raises(errors.DatabaseCorrupt):
        use_everything(filled)
    assert filled.database.read_bytes() == bytes(data)


def test_a_file_that_was_cut_off(filled: Places) -> None:
    data = filled.database.read_bytes()[: 4096 * 4]
    filled.database.write_bytes(data)
    with pytest.raises(errors.DatabaseCorrupt):
        use_everything(filled)
    assert filled.database.read_bytes() == data


def use_everything(places: Places) -> None:
    """Damage deep inside a file is noticed when it is read, and by the check."""
    store = open_store(places)
    try:
        assert store.check() != []
        for chat in store.conversations.list():
            for entry in store.messages.path(chat.id):
                store.messages.get(entry.id)
    finally:
        store.close()


def test_a_damaged_text_leaves_the_other_texts_readable(filled: Places) -> None:
    connection = dbapi2.connect(str(filled.database))
    (page,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'title_search_data'").fetchone()
    connection.close()
    data = bytearray(filled.database.read_bytes())
    data[(page - 1) * 4096 : page * 4096] = os.urandom(4096)
    filled.database.write_bytes(data)
    store = open_store(filled)
    assert store.check() != []
    with pytest.raises(errors.DatabaseCorrupt):
        store.search.search("title")
    for chat in store.conversations.list():
        assert store.messages.body(str(chat.leaf_id))[0].startswith("answer")
    store.close()


def test_sqlite_codes_become_our_errors(tmp_path: Path) -> None:
    class CodedError(Exception):
        sqlite_errorname = "SQLITE_SOMETHING"

        def __init__(self, code: int) -> None:
            super().__init__("message")
            self.sqlite_errorcode = code

    path = tmp_path / "inglenook.db"
    expected = {
        13: errors.DiskFull,
        5: errors.DatabaseLocked,
        6 | 1 << 8: errors.DatabaseLocked,
        8 | 2 << 8: errors.FolderReadOnly,
        14: errors.FolderReadOnly,
        11 | 1 << 8: errors.DatabaseCorrupt,
        26: errors.DatabaseCorrupt,
        10 | 3 << 8: errors.StoreError,
        1: errors.StoreError,
    }
    for code, kind in expected.items():
        error = errors.from_sqlite(CodedError(code), path)
        assert type(error) is kind
        assert "SQLITE_SOMETHING" in error.detail
    assert type(errors.from_sqlite(CodedError(26), path, keyed=True)) is errors.KeyRefused
