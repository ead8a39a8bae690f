"""Other processes for the tests: `python -m tests.store.children VERB FOLDER [ARGUMENT]`.

Each says on standard output what it reached, one line at a time, and waits for a line on its standard input where the
test must act in between.
"""

from __future__ import annotations

import itertools
import os
import resource
import sys
from collections.abc import Callable
from pathlib import Path

from sqlcipher3 import dbapi2

from app.base.paths import Places
from app.chat.messages import ReplyState
from app.store.errors import DiskFull, StoreError
from app.store.store import Store, open_store
from tests.store.making import asked, conversation, exchange, pending, reply_to


def say(*words: object) -> None:
    print(*words, flush=True)


def wait() -> None:
    sys.stdin.readline()


def write(places: Places, name: str) -> None:
    """Forty conversations, each with a growing reply, as fast as it goes."""
    store = open_store(places)
    say("ready")
    wait()
    for number in range(40):
        _, reply = pending(store, f"{name} {number}")
        store.messages.append(reply, 0, "so ").result()
        store.messages.finish(reply, "so it is", "", ReplyState.DONE, None).result()
    store.close()
    say("done")


def grow(places: Places, _: str) -> None:
    """A reply that never ends; says after each piece how many characters are stored."""
    store = open_store(places)
    chat, reply = pending(store, "Tell me everything")
    say(chat, reply)
    offset = 0
    for number in itertools.count():
        piece = f"piece {number}\n"
        store.messages.append(reply, offset, piece).result()
        offset += len(piece)
        say(offset)


def hold(places: Places, mode: str) -> None:
    """Locks the database like a program that knows nothing of the others."""
    connection = dbapi2.connect(str(places.database), isolation_level=None)
    if mode == "altogether":
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("UPDATE conversations SET title = title")
    say("held")
    wait()
    connection.execute("ROLLBACK")
    connection.close()


def unprivileged(places: Places, _: str) -> None:
    """Opens as an account that may not write there."""
    if os.geteuid() == 0:
        os.setgid(65534)
        os.setuid(65534)
    try_to_open(places, "")


def try_to_open(places: Places, _: str) -> None:
    """Opens and says which error came."""
    try:
        open_store(places).close()
    except StoreError as error:
        say(error.code)
        say(error.sentence)
    else:
        say("opened")


def fill(places: Places, _: str) -> None:
    """Writes until the disk is full, then makes room and goes on. The folder lies on a small file system of its own."""
    ballast = places.data.parent / "ballast"
    ballast.write_bytes(bytes(600_000))
    store = open_store(places)
    kept, error = until_it_fails(store)
    assert isinstance(error, DiskFull), error
    assert store.messages.body(kept[-1])[0].startswith("answer")
    ballast.unlink()
    go_on(store, kept)
    store.close()
    ballast.write_bytes(b"")
    with ballast.open("ab", buffering=0) as file:
        try:
            while file.write(bytes(1024)):
                pass
        except OSError:
            pass
    first_start = places.data.with_name("first-start")
    try_to_open(Places(first_start, first_start / "logs"), "")


def cramp(places: Places, _: str) -> None:
    """The same where a file may not grow any further."""
    store = open_store(places)
    exchange(store)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    kept, error = until_it_fails(store)
    assert isinstance(error, StoreError), error
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    go_on(store, kept)
    store.close()
    say("done")


def until_it_fails(store: Store) -> tuple[list[str], BaseException]:
    """The replies that were stored, and the error of the first that was not."""
    kept: list[str] = []
    while True:
        new = conversation()
        user = asked(new.id, None, os.urandom(10_000).hex())
        reply = reply_to(user, f"answer {os.urandom(10_000).hex()}", ReplyState.DONE)
        error = store.messages.add_turn(new, user, reply).exception()
        if error is not None:
            return kept, error
        kept.append(reply.id)


def go_on(store: Store, kept: list[str]) -> None:
    """After room was made: what was stored is there, and more can be stored."""
    assert len(store.conversations.list()) >= len(kept) > 0
    _, _, reply = exchange(store, answer="after the trouble")
    assert store.messages.body(reply)[0] == "after the trouble"
    assert all(store.messages.body(reply_id)[0].startswith("answer") for reply_id in kept)
    assert store.check() == []
    say("went on")


VERBS: dict[str, Callable[[Places, str], None]] = {
    verb.__name__: verb for verb in (write, grow, hold, unprivileged, try_to_open, fill, cramp)
}

if __name__ == "__main__":
    folder = Path(sys.argv[2])
    VERBS[sys.argv[1]](Places(folder, folder / "logs"), sys.argv[3] if len(sys.argv) > 3 else "")
