"""What fills the model's window: the gauge, the panel, marks, notes, and what does not fit."""

from __future__ import annotations

import msgspec
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from app.chat.context_view import ContextView
from app.services.changes import NoteGrew
from tests.screenshots import contexts
from tests.screenshots.scenes.conversation import conversation
from tests.screenshots.stage import Scene, Stage, owned, ready, settle


def _context(stage: Stage, view: ContextView) -> None:
    """The panel at what fills the model's window."""
    messages = [owned(stage, m) for m in contexts.turns()]
    stage.application.conversations.messages[stage.conversation_id] = messages
    stage.application.contexts.views[stage.conversation_id] = view
    conversation(stage)
    stage.window.conversation.composer.gauge.click()
    settle()


def context_roomy(stage: Stage) -> None:
    _context(stage, contexts.roomy())


def context_nearly_full(stage: Stage) -> None:
    """A note, a pinned, a trimmed and a left out message; the line and the marks in the conversation."""
    _context(stage, contexts.nearly_full())
    stage.window.conversation.transcript.scroll_to("a6")


def context_choosing(stage: Stage) -> None:
    """Every message, by keyboard."""
    _context(stage, contexts.nearly_full())
    tab = stage.window.conversation.panel.context
    tab.choose.click()
    settle()
    tab.list.by_keyboard = True
    for _ in range(9):
        QTest.keyClick(tab.list, Qt.Key.Key_Down)


def context_full(stage: Stage) -> None:
    """Nothing leaves by itself: the person chooses."""
    _context(stage, contexts.overflowing())


def context_summarising(stage: Stage) -> None:
    _context(stage, contexts.summarising())
    stage.window.apply(NoteGrew(conversation_id=stage.conversation_id, text=contexts.NOTE[:200]))


def context_note(stage: Stage) -> None:
    """The note, being changed."""
    _context(stage, contexts.nearly_full())
    tab = stage.window.conversation.panel.context
    tab.show_note()
    tab.note.field.insertPlainText("Budget: € 30,000. ")


def context_seen(stage: Stage) -> None:
    """What the model saw for one reply."""
    _context(stage, contexts.nearly_full())
    stage.application.contexts.seen["m2"] = contexts.seen()
    stage.window.conversation.verbs.wish("seen", "m2")


def context_endless(stage: Stage) -> None:
    """Ten thousand messages, all of them listed."""
    _context(stage, contexts.endless())
    tab = stage.window.conversation.panel.context
    tab.show_all(True)
    settle()
    tab.middle.verticalScrollBar().setValue(tab.middle.verticalScrollBar().maximum())


def context_new(stage: Stage) -> None:
    """Nothing was said yet."""
    ready(stage)
    stage.window.new()
    stage.window.conversation.composer.gauge.click()


def refused_full(stage: Stage) -> None:
    """A reply that waits for a choice."""
    sentence = "The conversation no longer fits: it takes 6,304 tokens and the model sees 4,096. Choose what goes."
    messages = contexts.refused("context_full", sentence)
    stage.application.conversations.messages[stage.conversation_id] = [owned(stage, m) for m in messages]
    stage.application.contexts.views[stage.conversation_id] = contexts.overflowing()
    conversation(stage)


def refused_large(stage: Stage) -> None:
    """A message that is larger than the window."""
    said = "This message needs 9,120 tokens and the model sees 4,096. Send it in parts."
    messages = contexts.refused("message_too_large", f"{said} Or choose a model with a longer context.")
    stage.application.conversations.messages[stage.conversation_id] = [owned(stage, m) for m in messages]
    stage.application.contexts.views[stage.conversation_id] = msgspec.structs.replace(
        contexts.overflowing(), needs_choice=False, too_large=9120, too_large_said=said
    )
    conversation(stage)
    stage.window.conversation.composer.gauge.click()


SCENES: tuple[Scene, ...] = (
    context_roomy,
    context_nearly_full,
    context_choosing,
    context_full,
    context_summarising,
    context_note,
    context_seen,
    context_endless,
    context_new,
    refused_full,
    refused_large,
)
