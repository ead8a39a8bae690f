"""Draws every page and state in both themes and three sizes: `python -m tests.screenshots.take FOLDER [--only PART]`.

Real widgets on values; nothing is loaded and no store is opened. `--fonts DIR` adds fonts, to see what a package shows.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtGui import QFontDatabase
from PySide6.QtWidgets import QApplication

from app.base.paths import Places
from app.ui.components.transcript.warming import warm_up
from app.ui.theme import style
from app.ui.theme.theme import Theme
from app.ui.widgets.focus_ring import FocusRing
from app.ui.window import Window
from tests.screenshots import content
from tests.screenshots.scenes import context, conversation, models, settings
from tests.screenshots.stage import SIZES, Scene, Stage, settle
from tests.support.fake_application import FakeApplication
from tests.support.fake_models import starter

COLOURED_S = 5.0
SCENES = {scene.__name__: scene for scene in (*conversation.SCENES, *context.SCENES, *settings.SCENES, *models.SCENES)}


def take(scene: Scene, theme: Theme, ring: FocusRing, size: tuple[int, int], file: Path) -> None:
    """Draws one picture."""
    with tempfile.TemporaryDirectory() as folder:
        application = FakeApplication(Path(folder), [content.qwen(), starter()])
        conversation_id = content.fill(application, content.done(), int(time.time() * 1000))
        application.settings.change("appearance.theme", theme.preference)
        application.settings.change("appearance.less_motion", True)
        places = Places(content.HOME, content.HOME / "logs")
        window = Window(application, theme, ring, places.data, Path(folder) / "window.json")
        application.publisher.subscribe(window.apply)
        window.resize(*size)
        window.show()
        window.store_settled()
        settle(20)
        scene(Stage(application, window, conversation_id))
        settle()
        end = time.monotonic() + COLOURED_S
        while _is_busy(window) and time.monotonic() < end:
            settle(20)
        window.grab().save(str(file))
        window.close()
        window.deleteLater()
        settle(0)


def _is_busy(window: Window) -> bool:
    """Whether code still waits for its colours: they come when nothing else happens."""
    page = window.conversation
    return "transcript" in vars(page) and page.transcript.idle.busy  # which is made when it is first looked at


def main() -> int:
    """Draws what the arguments ask for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--theme", default="paper,night")
    parser.add_argument("--size", default="")
    parser.add_argument("--fonts", type=Path)
    given = parser.parse_args()
    qt = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(qt, QApplication)
    if given.fonts:
        for font in sorted(given.fonts.iterdir()):
            QFontDatabase.addApplicationFont(str(font))
    given.folder.mkdir(parents=True, exist_ok=True)
    warm_up()
    theme = Theme("paper", less_motion=True)
    style.install(qt, theme)
    ring = FocusRing(qt, theme)
    count = 0
    for preference in given.theme.split(","):
        theme.set_preference(preference)
        for name, scene in SCENES.items():
            if given.only and name not in given.only.split(","):
                continue
            for width, height in SIZES:
                if given.size and str(width) != given.size:
                    continue
                take(scene, theme, ring, (width, height), given.folder / f"{name}-{preference}-{width}.png")
                count += 1
    print(f"{count} pictures in {given.folder}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
