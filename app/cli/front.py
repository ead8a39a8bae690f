"""What every verb of the command line stands on: places, an opened application, words and figures for a terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import click

from app.base.log import start_log
from app.base.paths import Places
from app.chat.messages import Conversation
from app.services.adapters import Adapters
from app.services.browsing import Browsing
from app.services.changes import Publisher
from app.services.contexts import Contexts
from app.services.conversations import Conversations
from app.services.diagnostics import Diagnostics
from app.services.downloading import Downloading
from app.services.fitting import Fitting
from app.services.ground import Ground
from app.services.leaving import Leaving
from app.services.library import Library
from app.services.loading import Loading
from app.services.network import Network
from app.services.plans import Plans
from app.services.sending import Sending
from app.settings.file import SettingsFile

FAILED = 1
USAGE = 2
INTERRUPTED = 130
BROKEN_PIPE = 141

_CONTROLS = dict.fromkeys(code for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\t\n")


class Application(Protocol):
    """The part of the application that this front uses."""

    @property
    def publisher(self) -> Publisher: ...
    @property
    def settings(self) -> SettingsFile: ...
    @property
    def ground(self) -> Ground: ...
    @property
    def library(self) -> Library: ...
    @property
    def adapters(self) -> Adapters: ...
    @property
    def loading(self) -> Loading: ...
    @property
    def plans(self) -> Plans: ...
    @property
    def conversations(self) -> Conversations: ...
    @property
    def contexts(self) -> Contexts: ...
    @property
    def sending(self) -> Sending: ...
    @property
    def network(self) -> Network: ...
    @property
    def browsing(self) -> Browsing: ...
    @property
    def downloading(self) -> Downloading: ...
    @property
    def fitting(self) -> Fitting: ...
    @property
    def diagnostics(self) -> Diagnostics: ...
    @property
    def leaving(self) -> Leaving: ...

    def open(self) -> None: ...
    def close(self) -> None: ...


class Front:
    """Passed to every verb as click's object."""

    def __init__(self, places: Places, build: Callable[[Places], Application]) -> None:
        self.places = places
        self._build = build

    @contextmanager
    def application(self, *, need_store: bool = True, opened: bool = True, tell: bool = True) -> Iterator[Application]:
        """An opened application, closed at the end. Raises why the conversations cannot be opened, when they are
        needed; what else is wrong is said, if `tell`. One that is not `opened` makes no file."""
        if opened:
            start_log(self.places.logs)
        application = self._build(self.places)
        try:
            if not opened:
                yield application
                return
            application.open()
            refusal = application.ground.refusal
            if need_store and refusal is not None:
                raise refusal
            for trouble in application.ground.troubles if tell else ():
                say_error(trouble.sentence)
            yield application
        finally:
            application.close()


def recall_model(application: Application, conversation: Conversation) -> None:
    """The model that a conversation was begun with is used for it again, wherever its file lies; says when it cannot
    be."""
    if conversation.model_id and application.library.recall(conversation.model_id) is None:
        name = application.loading.choice().name
        say_error(f"The model of this conversation is no longer there; {name} takes its place.")


def say_error(sentence: str) -> None:
    """One plain sentence on standard error."""
    try:
        print(f"inglenook: {' '.join(harmless(sentence).split())}", file=sys.stderr, flush=True)
    except OSError:
        return  # nobody listens


def say_help(text: str) -> None:
    """The help on standard error: what was typed was not enough."""
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        return


def write_json(value: Any) -> None:
    """One JSON value and a line end on standard output."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2 if sys.stdout.isatty() else None))


def write_text(text: str) -> None:
    """A line, or several, on standard output; without control characters when that is a terminal."""
    click.echo(harmless(text) if sys.stdout.isatty() else text)


def harmless(text: str) -> str:
    """`text` without control characters but tab and line end. What a model writes, or a file is called, must not
    command the terminal it is shown in."""
    return text.translate(_CONTROLS)
