"""Full disks, read-only folders, locked, damaged and newer databases: said plainly, and nothing is overwritten."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import pytest
from sqlcipher3 import dbapi2

from tests.end_to_end.conftest import Start, choose
from tests.end_to_end.places import read_only, small_disk
from tests.end_to_end.screen import Screen
from tests.end_to_end.window import Window, ended, rows
from tests.support.command import inglenook, json_of, one_sentence
from tests.support.command import start as begin_command
from tests.support.processes import until

REFUSED = "the conversations cannot be opened"


@pytest.fixture(scope="module")
def one_conversation(tmp_path_factory: pytest.TempPathFactory, starter_model: Path) -> Path:
    """A data folder with one conversation, to be copied."""
    folder = tmp_path_factory.mktemp("kept") / "home"
    choose(folder, max_tokens=8)
    json_of(folder, "ask", "What was here before?")
    return folder


@pytest.fixture
def kept(home: Path, one_conversation: Path) -> Path:
    """A data folder with one conversation."""
    shutil.copytree(one_conversation, home, dirs_exist_ok=True)
    return home


def digests(home: Path) -> dict[str, str]:
    """The database's own files. An empty log beside it holds nothing."""
    files = (path for path in home.glob("inglenook.db*") if not path.name.endswith("-shm") and path.stat().st_size)
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def refused_in_words(start: Start, home: Path, screen: Screen, name: str, title: str, sentence: str) -> Window:
    """Window and command at the same time: a page in the one, one sentence and exit code 1 from the other."""
    with begin_command(home, "ask", "Is anything there?") as command:
        window = start(at=home).ready()
        window.shows(title)
        screen.picture(name)
        assert sentence in " ".join(window.words().split())
        output, complaint = command.communicate()
    lines = complaint.decode().splitlines()
    assert command.returncode == 1
    assert output == b""
    assert len(lines) == 1
    assert sentence in lines[0]
    return window


def damage(home: Path) -> None:
    data = bytearray((home / "inglenook.db").read_bytes())
    data[:8192] = os.urandom(8192)
    (home / "inglenook.db").write_bytes(bytes(data))


def make_newer(home: Path) -> None:
    connection = dbapi2.connect(str(home / "inglenook.db"))
    with connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()


@pytest.mark.parametrize(
    ("spoil", "title", "sentence"),
    [
        (damage, "The conversations cannot be read", "is damaged or is not Inglenook's. It was left as it is"),
        (make_newer, "These conversations belong to a newer Inglenook", "saved by a newer version of Inglenook"),
    ],
)
def test_a_file_that_cannot_be_used_is_left_as_it_is(
    start: Start, kept: Path, screen: Screen, expected_warnings: list[str], spoil: object, title: str, sentence: str
) -> None:
    expected_warnings.append(REFUSED)
    assert callable(spoil)
    spoil(kept)
    before = digests(kept)
    window = refused_in_words(start, kept, screen, spoil.__name__, title, sentence)
    window.click("Try again")
    window.told("TroubleChanged")
    assert window.quit() == 0
    assert digests(kept) == before


def test_a_folder_that_may_not_be_written(
    start: Start, kept: Path, screen: Screen, expected_warnings: list[str]
) -> None:
    expected_warnings.append(REFUSED)
    before = digests(kept)
    with read_only(kept) as folder:
        title = "The folder of the conversations cannot be written to"
        window = refused_in_words(start, folder, screen, "read_only", title, "Inglenook may not write in")
        assert window.quit() == 0
    assert digests(kept) == before


def test_a_database_that_another_program_holds(
    start: Start, kept: Path, screen: Screen, expected_warnings: list[str]
) -> None:
    expected_warnings.append(REFUSED)
    holder = dbapi2.connect(str(kept / "inglenook.db"), isolation_level=None)
    holder.execute("PRAGMA locking_mode = EXCLUSIVE")
    holder.execute("BEGIN IMMEDIATE")
    holder.execute("UPDATE conversations SET title = title")
    title = "Another program holds the conversations"
    window = refused_in_words(start, kept, screen, "locked", title, "Another program is holding Inglenook's database")
    holder.execute("ROLLBACK")
    holder.close()
    window.click("Try again")
    window.click("What was here before?")
    window.shows("You: What was here before?")
    assert window.quit() == 0


def test_a_disk_that_is_full_at_the_start(
    start: Start, tmp_path: Path, screen: Screen, starter_model: Path, expected_warnings: list[str]
) -> None:
    expected_warnings.append(REFUSED)
    with small_disk(tmp_path / "small") as disk:
        if not disk.mounted:
            return  # only files of one process can be held small then, which the next test does
        home = disk.folder / "home"
        choose(home, max_tokens=8)
        disk.fill()
        window = refused_in_words(start, home, screen, "disk_full", "The disk is full", "The disk is full")
        disk.free()
        window.click("Try again")
        window.told("ConversationsChanged", 2)
        screen.do("windowfocus", "--sync", window.id)
        window.shows("Ask anything")
        window.click("Message")
        window.send("Hello")
        ended(home, 1, "done")
        assert window.quit() == 0


def test_a_disk_that_gets_full(start: Start, tmp_path: Path, screen: Screen, starter_model: Path) -> None:
    with small_disk(tmp_path / "small") as disk:
        home = disk.folder / "home"
        choose(home, max_tokens=24)
        window = start(at=home).ready()
        window.send("Hello")
        first = ended(home, 1, "done")
        disk.fill(window.pid)
        window.send("Tell me about the sea.")
        told = window.told("TroubleChanged", code="not_saved")
        if disk.mounted:
            assert "The disk is full" in told["sentence"]
        window.shows(told["sentence"])
        window.told("ReplyChanged", 2, state="done")
        text = "".join(change["text"] for change in window.changes("ReplyGrew"))[len(first) :]
        window.shows(text.strip().split("\n")[0])  # it is answered and shown all the same
        screen.picture("disk_filled")
        disk.free(window.pid)
        window.told("TroubleChanged", code="not_saved", sentence="")
        until(lambda: told["sentence"] not in window.words(), "the words to go")
        assert ended(home, 2, "done") == text
        assert rows(home, "PRAGMA integrity_check") == [("ok",)]
        assert window.quit() == 0


def test_a_command_on_a_full_disk(tmp_path: Path, starter_model: Path) -> None:
    with small_disk(tmp_path / "small") as disk:
        if not disk.mounted:
            return
        home = disk.folder / "home"
        home.mkdir()
        disk.fill()
        done = inglenook(home, "chats", "list")
        assert done.returncode == 1
        assert one_sentence(done).startswith("The disk is full")
