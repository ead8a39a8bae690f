"""A shown transcript over a conversation in memory."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtGui import QGuiApplication
from pytestqt.qtbot import QtBot

from app.ui.components.transcript.transcript import Transcript
from app.ui.theme.theme import Theme
from tests.support.transcripts import Conversations

Show = Callable[..., Transcript]


@pytest.fixture
def conversations() -> Conversations:
    """An empty conversation."""
    return Conversations()


@pytest.fixture
def theme(qtbot: QtBot) -> Theme:
    """Paper, without motion."""
    return Theme("paper", less_motion=True)


@pytest.fixture
def show(qtbot: QtBot, theme: Theme, conversations: Conversations) -> Show:
    """Shows the conversation as it is now."""

    def shown(width: int = 900, height: int = 600) -> Transcript:
        transcript = Transcript(conversations, theme)
        qtbot.addWidget(transcript)
        transcript.resize(width, height)
        transcript.open("c")
        transcript.show()
        transcript.activateWindow()
        transcript.setFocus()
        qtbot.waitExposed(transcript)
        qtbot.waitUntil(lambda: transcript.column.laid_out > 0 or not conversations.messages)
        QGuiApplication.clipboard().clear()
        return transcript

    return shown
