"""Two processes at once, and processes that die."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.base.ids import new_id
from app.base.paths import Places
from app.chat.messages import ReplyState
from app.store.ownership import Owner
from app.store.store import Store, open_store
from tests.store.making import exchange, pending

Start = Callable[..., "subprocess.Popen[str]"]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def start(places: Places) -> Iterator[Start]:
    running: list[subprocess.Popen[str]] = []

    def run(verb: str, argument: str = "", before: list[str] | None = None) -> subprocess.Popen[str]:
        command = [*(before or []), sys.executable, "-m", "tests.store.children", verb, str(places.data), argument]
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        running.append(child)
        return child

    yield run
    for child in running:
        child.kill()
        child.communicate()


def line(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline().strip()


def let_go(child: subprocess.Popen[str]) -> None:
    assert child.stdin is not None
    child.stdin.write("\n")
    child.stdin.flush()


def test_three_processes_write_at_once_and_all_see_everything(store: Store, start: Start) -> None:
    children = [start("write", name) for name in ("ants", "bees")]
    assert [line(child) for child in children] == ["ready", "ready"]
    before = store.data_version()
    for child in children:
        let_go(child)
    for number in range(40):
        exchange(store, f"mine {number}", "so it is")
    assert [line(child) for child in children] == ["done", "done"]
    assert [child.wait() for child in children] == [0, 0]
    chats = store.conversations.list()
    assert len(chats) == 120
    for chat in chats:
        assert [entry.state for entry in store.messages.path(chat.id)] == [ReplyState.DONE] * 2
        assert store.messages.body(str(chat.leaf_id)) == ("so it is", "")
    assert len(store.search.search("ants", limit=200)) == 40
    assert store.data_version() != before


def test_only_other_processes_change_the_data_version(store: Store, start: Start) -> None:
    before = store.data_version()
    exchange(store)
    store.conversations.list()
    assert store.data_version() == before
    child = start("write", "x")
    assert line(child) == "ready"
    let_go(child)
    assert line(child) == "done"
    assert store.data_version() != before


def test_two_first_starts_at_once(places: Places, start: Start) -> None:
    children = [start("write", name) for name in ("a", "b")]
    assert [line(child) for child in children] == ["ready", "ready"]
    for child in children:
        let_go(child)
    assert [child.wait() for child in children] == [0, 0]
    store = open_store(places)
    assert len(store.conversations.list()) == 80
    store.close()


def test_a_killed_process_loses_no_stored_piece(places: Places, start: Start) -> None:
    child = start("grow")
    chat, reply = line(child).split()
    stored = 0
    while stored < 2000:
        stored = int(line(child))
    child.kill()
    child.wait()
    store = open_store(places)
    assert store.recovered == [reply]
    message = store.messages.get(reply)
    assert message.state is ReplyState.LOST
    assert len(message.text) >= stored
    assert message.text == "".join(f"piece {i}\n" for i in range(message.text.count("\n")))
    assert [entry.state for entry in store.messages.path(chat)] == [ReplyState.DONE, ReplyState.LOST]
    assert [hit.message_id for hit in store.search.search("piece 7")] == [reply]
    assert store.check() == []
    assert [path.suffix for path in places.owners.iterdir()] == [".lock"]
    store.close()
    assert list(places.owners.iterdir()) == []


def test_a_reply_that_another_process_writes_is_left_alone(places: Places, start: Start) -> None:
    child = start("grow")
    _, reply = line(child).split()
    line(child)
    store = open_store(places)
    assert store.recovered == []
    assert store.messages.get(reply).state is ReplyState.QUEUED
    assert store.messages.body(reply)[0].startswith("piece 0\n")
    child.kill()
    child.wait()
    assert store.messages.recover() == [reply]
    store.close()


def test_a_reply_taken_for_lost_may_still_be_finished(store: Store) -> None:
    _, reply = pending(store)
    store.messages._owner = Owner(store.messages._owner._folder)  # as another process sees it whose view is wrong
    store._owner.close()
    assert store.messages.recover() == [reply]
    store.messages.finish(reply, "the whole text", "", ReplyState.DONE, None).result()
    assert store.messages.get(reply).state is ReplyState.DONE
    assert [hit.message_id for hit in store.search.search("whole")] == [reply]
    store.messages._owner.close()


def test_owners(tmp_path: Path) -> None:
    mine, other = Owner(tmp_path), Owner(tmp_path)
    assert mine.alive(mine.id)
    assert mine.alive(other.id)
    assert mine.others() == [other.id]
    assert not mine.alive(new_id())
    other.close()
    other.close()
    assert not mine.alive(other.id)
    left = tmp_path / f"{new_id()}.lock"
    left.touch()
    assert not mine.alive(left.stem)
    mine.sweep()
    assert [path.stem for path in tmp_path.iterdir()] == [mine.id]
    mine.close()
