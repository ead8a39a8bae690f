"""Adapters in the side panel of a conversation, and below the models of this computer."""

from __future__ import annotations

from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from app.chat.messages import Message, ReplyFacts, Role
from app.engine.values import Adapter, AdapterFile
from app.services.changes import EngineState, LibraryChanged
from app.ui.components.adapters import FROM_FILE, AdapterSection
from app.ui.components.transcript.words import adapter_lines
from app.ui.window import Window
from tests.support.fake_application import FakeApplication
from tests.support.fake_models import starter

PIRATE = AdapterFile(path="/models/pirate.gguf", name="Pirate", architecture="llama", base="Tiny", size_bytes=2_000_000)
OTHER = AdapterFile(path="/models/other.gguf", name="Other", architecture="gemma2", problem="It was made for another.")


def section(window: Window) -> AdapterSection:
    window.conversation.show_panel(True)
    window.conversation.panel.show_adapters()
    return window.conversation.panel.adapters


def conversation(application: FakeApplication, window: Window) -> str:
    message = Message(id="m1", conversation_id="", parent_id=None, role=Role.USER, text="Hello")
    made = application.conversations.add("Hello", [message])
    window.open(made)
    return made


def choose(panel: AdapterSection, text: str) -> None:
    menu = panel.menu()
    next(action for action in menu.actions() if action.text() == text).trigger()
    menu.deleteLater()


def test_one_of_the_models_folder_is_added_scaled_and_removed(
    window: Window, application: FakeApplication, qtbot: QtBot
) -> None:
    application.adapters.files = [PIRATE, OTHER]
    where = conversation(application, window)
    panel = section(window)
    assert panel.none.isVisibleTo(panel)
    assert [(a.text(), a.isEnabled()) for a in panel.menu().actions() if a.text()] == [
        ("Pirate  ·  Tiny", True),
        ("Other  ·  gemma2", False),
        (FROM_FILE, True),
    ]
    choose(panel, "Pirate  ·  Tiny")
    one = Adapter(path=PIRATE.path)
    assert application.conversations.rows[where].adapters == (one,)
    assert not panel.none.isVisibleTo(panel)
    (row,) = panel.rows
    assert (row.name.text(), row.facts.text(), row.number.text()) == ("Pirate", "Made for Tiny, 2.0 MB", "1.00")
    assert all(action.text() != "Pirate  ·  Tiny" for action in panel.menu().actions()), "it is used"
    row.slider.setFocus()
    QTest.keyClick(row.slider, Qt.Key.Key_Left)
    assert row.slider.accessibleName() == "Pirate: 0.95"
    assert panel.waiting
    qtbot.waitUntil(lambda: application.conversations.rows[where].adapters[0].scale == 0.95)
    panel.rows[0].remove.click()
    assert application.conversations.rows[where].adapters == ()
    assert panel.none.isVisibleTo(panel)
    assert panel.add.hasFocus()


def test_one_that_does_not_fit_is_refused_in_plain_words(
    window: Window, application: FakeApplication, monkeypatch: pytest.MonkeyPatch
) -> None:
    application.adapters.files, application.adapters.others = [PIRATE], [OTHER]
    where = conversation(application, window)
    panel = section(window)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (OTHER.path, ""))
    choose(panel, FROM_FILE)
    assert panel.refusal.text() == "It was made for another."
    assert panel.refusal.isVisibleTo(panel)
    assert application.conversations.rows[where].adapters == ()
    panel.add_wanted.emit(PIRATE.path)
    assert not panel.refusal.isVisibleTo(panel)
    panel.add_wanted.emit(PIRATE.path)
    assert panel.refusal.text() == "This adapter is used already."
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: ("", ""))
    choose(panel, FROM_FILE)
    assert len(panel.rows) == 1


def test_another_model_is_another_question(window: Window, application: FakeApplication) -> None:
    application.adapters.files = [PIRATE]
    where = conversation(application, window)
    application.conversations.configure(where, adapters=(Adapter(path=PIRATE.path),))
    panel = section(window)
    assert not panel.rows[0].problem.isVisibleTo(panel)
    changed: dict[str, Any] = {"problem": "The adapter pirate.gguf was made for another model."}
    application.adapters.files = [AdapterFile(path=PIRATE.path, name="Pirate", **changed)]
    application.loading.become(EngineState.READY, starter())
    assert panel.rows[0].problem.text() == changed["problem"]
    assert panel.rows[0].problem.isVisibleTo(panel)
    application.adapters.files = [PIRATE]
    application.publisher.publish(LibraryChanged())
    assert not panel.rows[0].problem.isVisibleTo(panel)


def test_a_new_conversation_takes_its_adapters_along(window: Window, application: FakeApplication) -> None:
    application.adapters.files = [PIRATE]
    window.new()
    panel = section(window)
    panel.add_wanted.emit(PIRATE.path)
    panel.rows[0].slider.setValue(10)
    window.conversation.composer.put("Hello")
    window.conversation.composer.send.click()
    choices = application.sending.sent[-1][2]
    assert choices is not None
    assert choices.adapters == (Adapter(path=PIRATE.path, scale=0.5),)
    window.new()
    assert panel.value == ()


def test_the_models_page_lists_them_below_the_models(window: Window, application: FakeApplication) -> None:
    window.show_models("library")
    shelf = window.visits.models.library_tab.adapters
    assert not shelf.isVisible()
    application.adapters.files = [PIRATE, OTHER]
    application.publisher.publish(LibraryChanged())
    assert shelf.isVisible()
    assert shelf.title.text() == "2 adapters"
    assert shelf.area.accessibleName() == ("Adapters. Pirate: Made for Tiny, 2.0 MB. Other: It was made for another.")


def test_a_reply_tells_its_adapters() -> None:
    facts = ReplyFacts(adapters=(Adapter(path="/models/plain-words.gguf", scale=0.8), Adapter(path="/models/b.gguf")))
    assert adapter_lines(facts) == ["plain-words, scale 0.80", "b, scale 1.00"]
    assert adapter_lines(ReplyFacts()) == adapter_lines(None) == []
