"""A whole application on a real store, its engine scripted or llama.cpp, and a recorder of what it publishes."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar

from app.base.paths import Places, find_places
from app.bootstrap import Application, build
from app.chat.messages import ReplyState
from app.engine.command import fake_command
from app.services.changes import Change, EngineChanged, EngineState, ReplyChanged, ReplyGrew

C = TypeVar("C")

PATIENCE_S = 30.0


class Recorder:
    """Every change, in order, with waiting for one."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self._more = threading.Condition()

    def __call__(self, change: Change) -> None:
        with self._more:
            self.changes.append(change)
            self._more.notify_all()

    def of(self, kind: type[C]) -> list[C]:
        """All changes of one kind so far."""
        with self._more:
            return [change for change in self.changes if isinstance(change, kind)]

    def wait_for(self, kind: type[C], condition: Callable[[C], bool] = lambda _: True, since: int = 0) -> C:
        """The first change of this kind, from position `since` on, that satisfies the condition."""
        deadline = time.monotonic() + PATIENCE_S
        with self._more:
            while True:
                for change in self.changes[since:]:
                    if isinstance(change, kind) and condition(change):
                        return change
                left = deadline - time.monotonic()
                assert left > 0, f"no such {kind.__name__}; the last changes: {self.changes[-5:]}"
                self._more.wait(left)

    def end_of(self, reply_id: str) -> ReplyChanged:
        """The terminal change of a reply."""
        return self.wait_for(ReplyChanged, lambda c: c.message_id == reply_id and not c.state.live)

    def writing(self, reply_id: str, characters: int = 1) -> None:
        """Waits until so much of a reply was told."""
        self.wait_for(ReplyGrew, lambda c: c.message_id == reply_id and c.offset + len(c.text) >= characters)

    def states_of(self, reply_id: str) -> list[ReplyState]:
        """The states a reply went through."""
        return [change.state for change in self.of(ReplyChanged) if change.message_id == reply_id]


def reply(text: str, **more: Any) -> dict[str, Any]:
    """One reply of a script."""
    return {"text": text, "tokens_per_s": 2000.0, **more}


def slow_reply(text: str = "word " * 400, tokens_per_s: float = 60.0, **more: Any) -> dict[str, Any]:
    """A reply that takes seconds."""
    return {"text": text, "tokens_per_s": tokens_per_s, **more}


@contextmanager
def following(application: Application, *, open_it: bool = True) -> Iterator[tuple[Application, Recorder]]:
    """An opened application and what it publishes; closed at the end."""
    recorder = Recorder()
    application.publisher.subscribe(recorder)
    try:
        if open_it:
            application.open()
        yield application, recorder
    finally:
        application.close()


def running(
    script: dict[str, Any] | None = None, *, places: Places | None = None, open_it: bool = True
) -> AbstractContextManager[tuple[Application, Recorder]]:
    """An opened application whose engine follows `script`. Its `n_ctx` becomes the setting: how long a context is, is
    decided before a load."""
    application = build(places or find_places(), engine_command=fake_command(json.dumps(script or {})))
    if script and "n_ctx" in script:
        application.settings.change("engine.n_ctx", script["n_ctx"])
    return following(application, open_it=open_it)


def running_real(
    *, places: Places | None = None, engine_command: Sequence[str] | None = None, **options: Any
) -> AbstractContextManager[tuple[Application, Recorder]]:
    """An opened application on llama.cpp, with these options of the group `engine`."""
    application = build(places or find_places(), engine_command=engine_command)
    for name, value in options.items():
        application.settings.override(f"engine.{name}", value)
    return following(application)


def load(application: Application, seen: Recorder, **more: Any) -> EngineChanged:
    """Loads the first model of the library; the change that ends it, in whichever way."""
    since = len(seen.changes)
    application.plans.load(application.library.list()[0].id, **more)
    return seen.wait_for(EngineChanged, lambda c: c.state in (EngineState.READY, EngineState.FAILED), since)
