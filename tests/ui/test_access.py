"""For everyone: names for what can be reached, a way to it by keyboard, and no words cut off."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible, QFontMetrics
from PySide6.QtWidgets import QAbstractButton, QAbstractScrollArea, QApplication, QLabel, QLineEdit, QWidget

from app.services.changes import EngineState, TroubleChanged
from app.ui.deeds import delete
from app.ui.theme import tokens
from app.ui.widgets.labels import Label, Paragraph
from app.ui.window import Window
from tests.screenshots import content, contexts
from tests.support.fake_application import FakeApplication
from tests.support.fake_models import starter

NOW_MS = 1_790_000_000_000


def _conversation(window: Window, application: FakeApplication) -> None:
    window.open("c1")


def _panel(window: Window, application: FakeApplication) -> None:
    window.open("c1")
    window.conversation.show_panel(True)
    window.conversation.panel.show_tab("model")


def _context(window: Window, application: FakeApplication) -> None:
    application.loading.become(EngineState.READY, content.qwen())
    application.conversations.messages["c1"] = contexts.turns()
    application.contexts.views["c1"] = contexts.nearly_full()
    window.open("c1")
    window.conversation.seeing.open_panel()
    window.conversation.seeing._ask()
    window.conversation.panel.context.show_all(True)


def _note(window: Window, application: FakeApplication) -> None:
    _context(window, application)
    window.conversation.panel.context.show_note()


def _choice(window: Window, application: FakeApplication) -> None:
    application.loading.become(EngineState.READY, content.qwen())
    application.contexts.views["c1"] = contexts.overflowing()
    application.conversations.messages["c1"] = contexts.refused("context_full", "It no longer fits.")
    window.open("c1")
    window.conversation.seeing.open_panel()
    window.conversation.seeing._ask()


def _seen(window: Window, application: FakeApplication) -> None:
    _context(window, application)
    application.contexts.seen["m2"] = contexts.seen()
    window.conversation.verbs.wish("seen", "m2")


def _picker(window: Window, application: FakeApplication) -> None:
    application.loading.become(EngineState.LOADING, content.qwen(), fraction=0.4)
    window.conversation.toggle_picker()


def _refused(window: Window, application: FakeApplication) -> None:
    window.open("c1")
    application.loading.become(
        EngineState.FAILED, content.qwen(), sentence="The model needs 9.1 GB and 6.4 GB are free."
    )


def _find(window: Window, application: FakeApplication) -> None:
    window.open("c1")
    window.show_find()


def _toast(window: Window, application: FakeApplication) -> None:
    delete(window, "c2")


def _trouble(window: Window, application: FakeApplication) -> None:
    window._opened = False
    window.apply(TroubleChanged(code="database_locked", sentence="The file is held by another program.", detail="5"))


def _privacy(window: Window, application: FakeApplication) -> None:
    application.network.entries = content.ledger(NOW_MS)
    window.show_privacy()


def _models(window: Window, application: FakeApplication) -> None:
    application.network.become(online=True)
    window.show_models()
    search = window.visits.models.find_tab.search
    search.list.setCurrentIndex(search.model.index(search.model.row_of("Qwen/Qwen3-8B-GGUF")))
    application.browsing.show(content.repository(), content.CARD)


def _library(window: Window, application: FakeApplication) -> None:
    application.library.models = content.shelf()
    window.show_models("library")


def _downloads(window: Window, application: FakeApplication) -> None:
    application.downloading.become(*content.downloads(NOW_MS))
    window.show_models("downloads")


def _editing(window: Window, application: FakeApplication) -> None:
    window.open("c1")
    window.conversation.verbs.begin_edit("m1")


def _places(window: Window, application: FakeApplication) -> None:
    application.library.models = content.shelf()
    application.settings.change("models.folders", ("/home/me/models-of-the-office", "/media/archive"))
    application.settings.change("models.files", ("/home/me/Downloads/phi-4-mini.gguf",))
    window.show_settings("models")


STATES: dict[str, Callable[[Window, FakeApplication], None]] = {
    "new": lambda window, application: None,
    "conversation": _conversation,
    "panel": _panel,
    "panel, context": _context,
    "panel, note": _note,
    "panel, choice": _choice,
    "panel, seen": _seen,
    "picker": _picker,
    "refused": _refused,
    "find": _find,
    "toast": _toast,
    "editing": _editing,
    "general": lambda window, application: window.show_settings("general"),
    "appearance": lambda window, application: window.show_settings("appearance"),
    "places": _places,
    "network": lambda window, application: window.show_settings("network"),
    "about": lambda window, application: window.show_settings("about"),
    "privacy": _privacy,
    "models": _models,
    "models, offline": lambda window, application: window.show_models(),
    "library": _library,
    "downloads": _downloads,
    "trouble": _trouble,
}


@pytest.fixture(params=list(STATES))
def narrow(request: pytest.FixtureRequest, make_window: Any, application: FakeApplication) -> Window:
    application.library.models = [content.qwen(), starter()]
    content.fill(application, content.done(), NOW_MS)
    window: Window = make_window(*tokens.MINIMUM_SIZE)
    STATES[request.param](window, application)
    QApplication.processEvents()
    return window


def shown(window: Window, kind: type[QWidget]) -> list[Any]:
    return [widget for widget in window.findChildren(kind) if widget.isVisible()]


def test_every_state_of_the_narrowest_window(narrow: Window) -> None:
    _everything_that_takes_the_focus_has_a_name(narrow)
    _no_words_are_cut_off(narrow)
    _nothing_scrolls_sideways_or_leaves_the_window(narrow)
    _the_tab_key_reaches_everything(narrow)


def _everything_that_takes_the_focus_has_a_name(narrow: Window) -> None:
    nameless = []
    for widget in shown(narrow, QWidget):
        if widget.focusPolicy() & Qt.FocusPolicy.TabFocus and widget.focusProxy() is None:
            interface = QAccessible.queryAccessibleInterface(widget)
            if not interface.text(QAccessible.Text.Name).strip():
                nameless.append(f"{type(widget).__name__} in {type(widget.parentWidget()).__name__}")
    assert not nameless


def _the_tab_key_reaches_everything(narrow: Window) -> None:
    wanted = {
        widget
        for widget in shown(narrow, QWidget)
        if widget.focusPolicy() & Qt.FocusPolicy.TabFocus and widget.isEnabled()
    }
    reached: set[QWidget] = set()
    for _ in range(3 * len(wanted) + 10):
        narrow.focusNextPrevChild(True)
        focused = QApplication.focusWidget()
        if focused is not None:
            reached.add(focused)
    left_out = {widget for widget in wanted - reached if widget.isVisible()}  # Tab out of a popover closes it
    assert not [f"{type(w).__name__} {w.accessibleName()}" for w in left_out]


def _no_words_are_cut_off(narrow: Window) -> None:
    cut = []
    for label in shown(narrow, QLabel):
        if isinstance(label, Paragraph):
            if label.heightForWidth(label.width()) > label.height():
                cut.append(f"{label.text()!r}: {label.height()} px high")
        elif isinstance(label, Label) and not label._elide and label.elided:
            cut.append(f"{label.text()!r}: {label.width()} px")
    for button in shown(narrow, QAbstractButton):
        if button.text() and button.width() < min(button.sizeHint().width(), 300):
            cut.append(f"{button.text()!r}: {button.width()} < {button.sizeHint().width()}")
    for field in shown(narrow, QLineEdit):
        words = QFontMetrics(field.font()).horizontalAdvance(field.placeholderText())
        if words > field.width() - 20:
            cut.append(f"{field.placeholderText()!r} in {field.width()} px")
    assert not cut


def _nothing_scrolls_sideways_or_leaves_the_window(narrow: Window) -> None:
    for area in shown(narrow, QAbstractScrollArea):
        assert area.horizontalScrollBar().maximum() == 0, type(area).__name__
    pages = narrow.pages
    assert pages.x() + pages.width() <= narrow.width()
    assert narrow.width() == tokens.MINIMUM_SIZE[0]
    for widget in shown(narrow, QAbstractButton):
        right = widget.mapTo(narrow, widget.rect().topRight()).x()
        assert right < narrow.width(), widget.accessibleName()


@pytest.mark.parametrize("palette", [tokens.PAPER, tokens.NIGHT], ids=["paper", "night"])
def test_contrast(palette: dict[str, str]) -> None:
    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    def contrast(a: str, b: str) -> float:
        light, dark = sorted((luminance(palette[a]), luminance(palette[b])), reverse=True)
        return (light + 0.05) / (dark + 0.05)

    for text in ("ink", "ink2", "ink3"):
        for surface in ("page", "side", "raised", "fill", "hover"):
            assert contrast(text, surface) >= 4.5, (text, surface)
    for state in ("moss", "ochre", "rose"):
        assert contrast(state, f"{state}_tint") >= 4.5
    assert contrast("on_ember", "ember") >= 4.5
    assert contrast("tint_text", "tint") >= 4.5
    assert contrast("toast_text", "toast") >= 4.5
    for surface in ("page", "raised"):
        assert contrast("edge", surface) >= 3
