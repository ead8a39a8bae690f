"""The queue of downloads: order, owners, and what a person wants."""

from __future__ import annotations

from pathlib import Path

import msgspec

from app.base.ids import new_id
from app.base.paths import Places
from app.store.queued import CHECKING, DONE, PAUSED, RUNNING, WAITING, QueuedDownload
from app.store.store import Store, open_store


def download(folder: Path, **more: object) -> QueuedDownload:
    made = QueuedDownload(
        id=new_id(),
        endpoint="https://huggingface.co",
        repo="acme/tiny",
        commit="c" * 40,
        label="Q4_K_M",
        files="[]",
        folder=str(folder),
    )
    return msgspec.structs.replace(made, **more)


def fetched(store: Store, one: QueuedDownload) -> QueuedDownload:
    """Added and claimed."""
    assert store.downloads.claim(store.downloads.add(one).result().id).result()
    return one


def state(store: Store, id: str) -> str:
    found = store.downloads.get(id)
    assert found is not None
    return found.state


def test_rows_come_back_in_order(store: Store, places: Places, tmp_path: Path) -> None:
    own, elsewhere = download(places.models), download(tmp_path / "elsewhere")
    assert store.downloads.add(own).result().position == 1
    assert store.downloads.add(elsewhere).result().position == 2
    assert store.downloads.list() == [
        msgspec.structs.replace(own, position=1),
        msgspec.structs.replace(elsewhere, position=2),
    ]
    assert store.downloads.move_up(elsewhere.id).result()
    assert not store.downloads.move_up(elsewhere.id).result()
    assert [one.id for one in store.downloads.list()] == [elsewhere.id, own.id]


def test_the_same_files_are_queued_once(store: Store, places: Places) -> None:
    """Two clicks, or a window and a command: none of them sees the other's row before it writes its own."""
    adding = [store.downloads.add(download(places.models)) for _ in range(3)]
    assert len({one.result().id for one in adding}) == 1
    other = open_store(places)
    assert other.downloads.add(download(places.models)).result() == store.downloads.list()[0]
    assert other.downloads.add(download(places.models, commit="d" * 40)).result().position == 2
    first = store.downloads.list()[0].id
    assert other.downloads.claim(first).result()
    assert other.downloads.release(first, DONE, 7).result()
    again = store.downloads.add(download(places.models)).result()
    assert (again.id != first, again.position) == (True, 3)
    other.close()


def test_a_folder_of_ours_moves_along(store: Store, places: Places, tmp_path: Path) -> None:
    one = download(places.models / "sub")
    store.downloads.add(one).result()
    store.close()
    places.data.rename(tmp_path / "moved")
    moved = Places(tmp_path / "moved", places.logs)
    again = open_store(moved)
    assert [found.folder for found in again.downloads.list()] == [str(moved.models / "sub")]
    again.close()
    (tmp_path / "moved").rename(places.data)


def test_only_one_process_gets_it(store: Store, places: Places) -> None:
    one = store.downloads.add(download(places.models)).result()
    other = open_store(places)
    assert store.downloads.claim(one.id).result()
    assert not other.downloads.claim(one.id).result()
    assert not other.downloads.keep(one.id, RUNNING, 5).result()
    assert store.downloads.keep(one.id, CHECKING, 5).result()
    assert other.downloads.recover() is None
    assert not other.downloads.release(one.id, WAITING, 6).result()
    assert store.downloads.release(one.id, WAITING, 6).result()
    assert other.downloads.claim(one.id).result()
    other.close()


def test_what_an_ended_process_left_waits_again(store: Store, places: Places) -> None:
    other = open_store(places)
    running = fetched(other, download(places.models))
    paused = fetched(other, download(places.models, repo="acme/other"))
    other.downloads.pause(paused.id).result()
    assert state(store, running.id) == RUNNING
    other.close()
    recovering = store.downloads.recover()
    assert recovering is not None
    assert recovering.result() == 2
    assert (state(store, running.id), state(store, paused.id)) == (WAITING, PAUSED)


def test_what_an_ended_process_left_waits_from_the_next_start_on(places: Places) -> None:
    ended = open_store(places)
    one = fetched(ended, download(places.models))
    ended.close()
    store = open_store(places)
    assert state(store, one.id) == WAITING
    assert store.downloads.claim(one.id).result()
    store.close()


def test_a_wish_of_another_process_is_seen_and_kept(store: Store, places: Places) -> None:
    one = fetched(store, download(places.models))
    other = open_store(places)
    assert other.downloads.pause(one.id).result()
    assert not store.downloads.keep(one.id, RUNNING, 5).result()
    assert store.downloads.release(one.id, WAITING, 6, sentence="offline").result()
    assert state(store, one.id) == PAUSED
    assert other.downloads.resume(one.id).result()
    assert not other.downloads.pause("no such").result()
    assert store.downloads.claim(one.id).result()
    assert other.downloads.remove(one.id).result() is not None
    assert other.downloads.remove(one.id).result() is None
    assert not store.downloads.keep(one.id, RUNNING, 5).result()
    assert store.downloads.get(one.id) is None
    other.close()


def test_what_is_done_is_not_paused(store: Store, places: Places) -> None:
    one = fetched(store, download(places.models))
    store.downloads.pause(one.id).result()
    assert store.downloads.release(one.id, DONE, 7, finished_ms=5).result()
    assert state(store, one.id) == DONE
    assert not store.downloads.pause(one.id).result()
    assert not store.downloads.resume(one.id).result()
