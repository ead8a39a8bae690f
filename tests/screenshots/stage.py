"""Where a scene is played: one window on one application made of values. And what several scenes begin with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec
from PySide6.QtCore import QEventLoop, QTimer

from app.chat.messages import Message
from app.services.changes import EngineState
from app.ui.window import Window
from tests.support.fake_application import FakeApplication

SIZES = ((1440, 900), (1024, 700), (880, 600))
SETTLE_MS = 120


@dataclass
class Stage:
    """One window on one fake application."""

    application: FakeApplication
    window: Window
    conversation_id: str


Scene = Callable[[Stage], None]
"""Brings the window into a state; its name is the picture's."""


def settle(milliseconds: int = SETTLE_MS) -> None:
    """Lets timers and paints happen."""
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


def ready(stage: Stage) -> None:
    """The first model is loaded."""
    stage.application.loading.become(EngineState.READY, stage.application.library.models[0])


def owned(stage: Stage, message: Message) -> Message:
    """The message as one of the conversation that is shown."""
    return msgspec.structs.replace(message, conversation_id=stage.conversation_id)
