"""One thread, one transaction each, errors to whom they belong."""

from __future__ import annotations

import threading
from functools import partial

import pytest
import sqlalchemy as sa

from app.base.paths import Places
from app.store.connect import Database
from app.store.errors import StoreClosed
from app.store.store import Store, open_store
from app.store.writer import Writer
from tests.store.making import conversation, exchange


@pytest.fixture
def writer(store: Store, places: Places) -> Writer:
    return Writer(Database(places.database))


def test_work_runs_in_order_on_one_named_thread_that_ends(store: Store, writer: Writer) -> None:
    names = [writer.submit(lambda _: threading.current_thread().name) for _ in range(3)]
    assert {name.result() for name in names} == {"store-writer"}
    order: list[int] = []
    for number in range(20):
        writer.submit(partial(lambda n, _: order.append(n), number))
    writer.close()
    assert order == list(range(20))
    writer.close()
    store.close()
    assert "store-writer" not in {thread.name for thread in threading.enumerate()}


def test_only_what_must_survive_a_power_cut_waits_for_the_disk(writer: Writer) -> None:
    def synchronous(connection: sa.Connection) -> int:
        return int(connection.exec_driver_sql("PRAGMA synchronous").scalar_one())

    durable = (True, False, True, True, False)
    assert [writer.submit(synchronous, durable=d).result() for d in durable] == [2, 1, 2, 2, 1]
    writer.close()


def test_an_error_rolls_back_its_own_work_only(store: Store, writer: Writer) -> None:
    def half(connection: sa.Connection) -> None:
        connection.exec_driver_sql("INSERT INTO drafts VALUES ('half', 'x', 0)")
        raise RuntimeError("on purpose")

    def whole(connection: sa.Connection) -> None:
        connection.exec_driver_sql("INSERT INTO drafts VALUES ('fine', 'x', 0)")

    failing, fine = writer.submit(half), writer.submit(whole)
    with pytest.raises(RuntimeError, match="on purpose"):
        failing.result()
    fine.result()
    assert (store.conversations.draft("half"), store.conversations.draft("fine")) == ("", "x")
    writer.close()


def test_after_closing_nothing_is_taken_and_nothing_handed_in_is_lost(places: Places) -> None:
    store = open_store(places)
    futures = [store.conversations.create(conversation(str(i))) for i in range(30)]
    store.close()
    assert all(future.done() and future.exception() is None for future in futures)
    with pytest.raises(StoreClosed):
        store.conversations.create(conversation()).result()
    with pytest.raises(StoreClosed):
        store.conversations.list()
    store.close()
    store = open_store(places)
    assert len(store.conversations.list()) == 30
    store.close()


def test_many_threads_read_while_one_writes(store: Store) -> None:
    problems: list[BaseException] = []
    done = threading.Event()

    def read() -> None:
        try:
            while not done.is_set():
                for found in store.conversations.list():
                    assert len(store.messages.path(found.id)) == 2
        except BaseException as error:  # noqa: BLE001 - a thread's edge: told to the test
            problems.append(error)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        exchange(store)
    done.set()
    for thread in threads:
        thread.join()
    assert not problems
