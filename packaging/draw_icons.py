"""Draws the application's icon in every size and form that packages need. Runs in the packaging environment.

python packaging/draw_icons.py FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from PySide6.QtCore import QSize
from PySide6.QtGui import QColor, QGuiApplication, QImageWriter

from app.ui.theme.icons import application_icon
from app.ui.theme.tokens import PAPER

SIZES = (16, 24, 32, 48, 64, 128, 256)


def main() -> int:
    """Writes NxN.png, inglenook.ico and inglenook.icns; returns the exit status."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    application = QGuiApplication(sys.argv[:1])
    icon = application_icon(QColor(PAPER["page"]), QColor(PAPER["ink"]), QColor(PAPER["ember"]))
    for size in SIZES:
        icon.pixmap(QSize(size, size), 1.0).save(str(folder / f"{size}.png"))
    largest = icon.pixmap(QSize(SIZES[-1], SIZES[-1]), 1.0).toImage()
    for form in ("ico", "icns"):
        writer = QImageWriter(str(folder / f"inglenook.{form}"), form.encode())
        if not writer.write(largest):
            print(f"inglenook: no icon as {form}: {writer.errorString()}", file=sys.stderr)
            return 1
    del application
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
