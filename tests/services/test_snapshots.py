"""When conversations go to the disk and come back, through the whole application on a scripted engine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app.base.paths import Places, find_places
from app.bootstrap import Application
from app.services import snapshots
from app.services.changes import EngineChanged, EngineState
from tests.support.application import Recorder, reply, running
from tests.support.processes import until

pytestmark = pytest.mark.usefixtures("starter_model")

TWO: dict[str, Any] = {"replies": [reply("The first answer."), reply("The second answer.")]}


@pytest.fixture
def places() -> Places:
    return find_places()


def files(places: Places) -> list[str]:
    """The conversations that have a snapshot."""
    if not places.snapshots.exists():
        return []
    return sorted(path.name.partition(".")[0] for path in places.snapshots.iterdir())


def asked(app: Application, seen: Recorder, conversation_id: str | None, text: str, **more: Any) -> Any:
    """A reply that ended: its terminal change, and what was sent."""
    sent = app.sending.send(conversation_id, text, **more)
    return sent, seen.end_of(sent.reply_id)


def cached(change: Any) -> int:
    assert change.facts.generation is not None
    return int(change.facts.generation.cached_tokens)


def test_the_next_process_goes_on_where_the_last_one_ended(places: Places) -> None:
    with running(TWO, places=places) as (app, seen):
        sent, _ = asked(app, seen, None, "Hello there, this is a question.")
    assert files(places) == [sent.conversation_id]
    with running(TWO, places=places) as (app, seen):
        _, ended = asked(app, seen, sent.conversation_id, "And another one.")
        assert cached(ended) > 5


def test_a_conversation_is_brought_back_when_it_is_opened(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(TWO, places=places) as (app, seen):
        sent, _ = asked(app, seen, None, "Hello there, this is a question.")
    restored: list[str] = []
    with running(TWO, places=places) as (app, seen):
        original = app.engine.restore

        def restore(sequence: str, *where: Any) -> Any:
            restored.append(sequence)
            return original(sequence, *where)

        monkeypatch.setattr(app.engine, "restore", restore)
        app.conversations.opened(sent.conversation_id)  # nothing is loaded yet
        app.loading.warm()
        seen.wait_for(EngineChanged, lambda change: change.state is EngineState.READY)
        until(lambda: restored == [sent.conversation_id])
        app.conversations.opened("")
        app.conversations.opened(sent.conversation_id)
        until(lambda: len(restored) == 2)
        app.conversations.opened("unknown")
        app.snapshots.remove_all()
        app.conversations.opened(sent.conversation_id)
        until(lambda: files(places) == [])
        assert len(restored) == 2


def test_it_is_kept_some_time_after_a_reply(places: Places) -> None:
    with running(TWO, places=places) as (app, seen):
        app.snapshots._idle_s = 0.05
        sent, _ = asked(app, seen, None, "Hello there.")
        until(lambda: files(places) == [sent.conversation_id])


def test_it_is_kept_when_another_one_is_opened(places: Places) -> None:
    with running(TWO, places=places) as (app, seen):
        sent, _ = asked(app, seen, None, "Hello there.")
        app.conversations.opened(sent.conversation_id)
        assert files(places) == []
        app.conversations.opened("")
        until(lambda: files(places) == [sent.conversation_id])


def test_a_temporary_one_leaves_nothing(places: Places) -> None:
    with running(TWO, places=places) as (app, seen):
        app.snapshots._idle_s = 0.0
        sent, _ = asked(app, seen, None, "A secret.", temporary=True)
        app.conversations.opened(sent.conversation_id)
        other, _ = asked(app, seen, None, "Nothing special.")
        until(lambda: files(places) == [other.conversation_id])
    assert files(places) == [other.conversation_id]
    assert b"secret" not in b"".join(path.read_bytes() for path in places.snapshots.iterdir())


def test_switched_off_nothing_is_kept_and_what_is_there_goes(places: Places) -> None:
    with running(TWO, places=places) as (app, seen):
        asked(app, seen, None, "Hello there.")
        app.conversations.opened("")
        until(lambda: len(files(places)) == 1)
        app.settings.change("cache.snapshots", False)
        until(lambda: files(places) == [])
        asked(app, seen, None, "Hello again.")
        app.conversations.opened("")
    assert files(places) == []


def test_the_budget_holds(places: Places) -> None:
    with running(TWO, places=places) as (app, seen):
        app.settings.change("cache.snapshots_bytes", 1)
        sent, _ = asked(app, seen, None, "Hello there.")
        assert app.snapshots.place(sent.conversation_id, app.library.default())[1] == 1
    assert files(places) == []


def test_it_goes_with_its_conversation(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(TWO, places=places) as (app, seen):
        sent, _ = asked(app, seen, None, "Hello there.")
        kept, _ = asked(app, seen, None, "This one stays.")
    assert len(files(places)) == 2
    with running(TWO, places=places) as (app, seen):
        app.conversations.delete(sent.conversation_id)
        until(lambda: len(app.conversations.list()) == 1)
        assert len(files(places)) == 2, "it can be brought back"
        app.conversations.undo_delete(sent.conversation_id)
        until(lambda: len(app.conversations.list()) == 2)
        _, ended = asked(app, seen, sent.conversation_id, "Still there?")
        assert cached(ended) > 0
        app.conversations.delete(sent.conversation_id)
        until(lambda: len(app.conversations.list()) == 1)
    monkeypatch.setattr("app.bootstrap.UNDO_DELETE_MS", -1000)
    with running(TWO, places=places) as (app, _):
        until(lambda: files(places) == [kept.conversation_id])


def test_what_belongs_to_no_conversation_goes_at_the_start(places: Places) -> None:
    places.snapshots.mkdir(parents=True)
    fingerprint = "0" * 16
    for name in (f"gone.{fingerprint}.kv", f"gone.{fingerprint}.kv.1.part"):
        (places.snapshots / name).write_bytes(b"x")
    with running(TWO, places=places):
        until(lambda: files(places) == [])


def test_what_a_killed_process_left_half_written_goes(places: Places) -> None:
    """A saving that is cut off by a kill leaves a file that nobody writes; one that is being written stays."""
    places.snapshots.mkdir(parents=True)
    script = (
        "import sys\nfrom pathlib import Path\n"
        "from app.engine.worker.snapshot_file import SnapshotWriter\n"
        "from tests.engine.worker.test_snapshot_file import HEADER\n"
        "file = SnapshotWriter(Path(sys.argv[1]), HEADER)\nprint('open', flush=True)\nsys.stdin.read()\n"
    )
    path = places.snapshots / f"one.{'0' * 16}.kv"
    root = Path(snapshots.__file__).resolve().parents[2]
    child = subprocess.Popen(
        [sys.executable, "-c", script, str(path)], cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdin is not None
    assert child.stdout.readline() == "open\n"
    with running(TWO, places=places) as (app, seen):
        sent, _ = asked(app, seen, None, "Hello there.")
        app.conversations.opened("")
        until(lambda: any(name == sent.conversation_id for name in files(places)))
        assert len(list(places.snapshots.glob("one.*.part"))) == 1
    child.kill()
    child.wait(30)
    child.stdin.close()
    child.stdout.close()
    with running(TWO, places=places):
        until(lambda: not list(places.snapshots.glob("*.part")))
