"""What is looked at on the models page, and how something on it is chosen."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QImage

from app.hub.values import ModelSummary
from app.ui.pages.models.page import ModelsPage

NOW_MS = 1_790_000_000_000
REPO = "Qwen/Qwen3-8B-GGUF"


def choose(page: ModelsPage, repo: str) -> None:
    search = page.find_tab.search
    search.list.setCurrentIndex(search.model.index(search.model.row_of(repo)))


def names(page: ModelsPage) -> list[str]:
    return [row.name for row in page.find_tab.search.model.rows]


def summaries(count: int, start: int = 0) -> list[ModelSummary]:
    return [
        ModelSummary(repo=f"acme/Model-{number}-GGUF", params=1_000_000_000 + number, downloads=number)
        for number in range(start, start + count)
    ]


def first_other(page: ModelsPage) -> str:
    return next(row.repo for row in page.find_tab.search.model.rows if row.repo != REPO)


def picture() -> bytes:
    from PySide6.QtCore import QBuffer, QByteArray

    image = QImage(40, 20, QImage.Format.Format_RGB32)
    image.fill(Qt.GlobalColor.red)
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QBuffer.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")  # type: ignore[call-overload]
    return bytes(data.data())
