"""A real window over an application made of values."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.ui.theme import style
from app.ui.theme.theme import Theme
from app.ui.widgets.focus_ring import FocusRing
from app.ui.window import Window
from tests.support.fake_application import FakeApplication
from tests.support.fake_models import starter


@pytest.fixture
def theme(qtbot: QtBot) -> Theme:
    """Paper, without motion."""
    return Theme("paper", less_motion=True)


@pytest.fixture
def application(tmp_path: Path) -> FakeApplication:
    """Nothing but the starter model."""
    made = FakeApplication(tmp_path / "home", [starter()])
    made.settings.change("appearance.theme", "paper")
    made.settings.change("appearance.less_motion", True)
    return made


@pytest.fixture
def make_window(qtbot: QtBot, qapp: QApplication, theme: Theme, application: FakeApplication) -> Iterator[object]:
    """Makes windows that follow the application's changes at once, and takes them away again."""
    made: list[Window] = []
    ends = []
    ring = FocusRing(qapp, theme)
    style.install(qapp, theme)

    def make(width: int | None = 1280, height: int = 800, *, opened: bool = True) -> Window:
        places = application.places
        window = Window(application, theme, ring, places.data, places.window_state)
        ends.append(application.publisher.subscribe(window.apply))
        if width is not None:
            window.resize(width, height)
        with qtbot.waitActive(window):
            window.show()
        if opened:
            window.store_settled()
        made.append(window)
        return window

    yield make
    for end in ends:
        end()
    for window in made:
        window.close()
        window.deleteLater()
    ring.deleteLater()
    qapp.sendPostedEvents(None, QEvent.Type.DeferredDelete)  # before the style goes: it would be taken off every widget
    qapp.setStyleSheet("")
    qapp.processEvents()
    gc.collect()


@pytest.fixture
def window(make_window: object) -> Window:
    """One window, 1280 wide, with the conversations opened."""
    return make_window()  # type: ignore[operator, no-any-return]
