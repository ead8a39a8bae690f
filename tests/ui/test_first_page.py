"""The page before a conversation begins: whatever stands on it, each part has the height it needs, or is not there."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from PySide6.QtCore import QPoint
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from app.ui.window import Window
from tests.screenshots.stage import SIZES

SMALL = SIZES[-1]


def _cut(window: Window) -> list[str]:
    """What of the page does not stand whole and by itself, in words."""
    page = window.conversation
    parts: list[QWidget] = [page.header, page.banner, page.greeting, page.composer, *page.suggestions, page.hint]
    seen = [part for part in parts if part.isVisible()]
    faults = []
    for part in seen:
        needed = part.heightForWidth(part.width()) if part.hasHeightForWidth() else part.sizeHint().height()
        if part.height() < needed:
            faults.append(f"{type(part).__name__} has {part.height()} of {needed}")
        if _top(part, page) + part.height() > page.height():
            faults.append(f"{type(part).__name__} ends below the page")
    for above, below in pairwise(seen):
        if _top(above, page) + above.height() > _top(below, page):
            faults.append(f"{type(above).__name__} covers {type(below).__name__}")
    return faults


def _top(part: QWidget, page: QWidget) -> int:
    return part.mapTo(page, QPoint(0, 0)).y()


def _suggested(window: Window) -> int:
    return sum(row.isVisible() for row in window.conversation.suggestions)


def _say(window: Window) -> None:
    detail = "This file is not a model to chat with: it holds a vocabulary only, without the model itself."
    window.conversation.banner.say("file", "vocabulary.gguf was not opened", detail, action="Choose a model")


@pytest.mark.parametrize("size", SIZES)
def test_nothing_is_cut(make_window: Any, qtbot: QtBot, size: tuple[int, int]) -> None:
    window: Window = make_window(*size)
    assert not _cut(window)
    assert _suggested(window) == 3
    _say(window)
    qtbot.waitUntil(lambda: window.conversation.banner.isVisible() and not _cut(window))
    assert _suggested(window) == (2 if size == SMALL else 3)
    window.conversation.banner.unsay("file")
    qtbot.waitUntil(lambda: _suggested(window) == 3 and not _cut(window))


def test_nothing_is_cut_beside_the_panel(make_window: Any, qtbot: QtBot) -> None:
    window: Window = make_window(*SMALL)
    _say(window)
    window.conversation.show_panel(True)
    qtbot.waitUntil(lambda: window.conversation.panel.isVisible() and not _cut(window))
    assert _suggested(window) < 3
    window.conversation.show_panel(False)
    qtbot.waitUntil(lambda: _suggested(window) == 2 and not _cut(window))


def test_a_long_beginning_takes_the_place_of_the_suggestions(make_window: Any, qtbot: QtBot) -> None:
    window: Window = make_window(*SMALL)
    page = window.conversation
    page.composer.put("\n".join("line" for _ in range(8)))
    qtbot.waitUntil(lambda: _suggested(window) < 3 and not _cut(window))
    _say(window)
    qtbot.waitUntil(lambda: _suggested(window) == 0 and not _cut(window))
    page.composer.put("")
    page.banner.unsay("file")
    qtbot.waitUntil(lambda: _suggested(window) == 3 and not _cut(window))
