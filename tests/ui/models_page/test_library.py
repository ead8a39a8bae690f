"""The library: chatting, verifying, showing, the trash, adding files and folders."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog, QMessageBox

from app.hub.errors import NotFound
from app.services.changes import LibraryChanged
from app.services.verifying import Finding
from app.ui.pages.models.page import ModelsPage
from app.ui.window import Window
from tests.screenshots import content
from tests.support.fake_application import FakeApplication
from tests.ui.models_page.looking import REPO


def take(page: ModelsPage, model_id: str) -> None:
    tab = page.library_tab
    tab.list.setCurrentIndex(tab.model.index(tab.model.row_of(model_id)))


def test_the_library_lists_everything_and_where_it_is(shelf: ModelsPage) -> None:
    tab = shelf.library_tab
    rows = [str(tab.model.index(row).data(Qt.ItemDataRole.AccessibleTextRole)) for row in range(tab.model.rowCount())]
    for words, row in zip(("Models folder", "LM Studio", "Ollama", "not there now", "shorter"), rows, strict=False):
        assert words in row
    assert tab.total.text() == "6 models, 30 GB"
    detail = tab.detail
    assert detail.title.text() == "Qwen3-8B"
    assert detail.facts.facts["Layers"].value.text() == "30", "from the file's own header"
    take(shelf, "gemma")
    assert "mmproj" in detail.path.text()
    assert not detail.trash.isVisible(), "another program's"
    take(shelf, "away")
    assert detail.notice.title.text() == "The folder or drive it lies on is not there now."
    assert not detail.chat.isVisible()
    assert detail.trash.text() == "Forget it"
    take(shelf, "broken")
    assert not detail.chat.isVisible()


def test_chatting_verifying_showing(
    window: Window, shelf: ModelsPage, application: FakeApplication, monkeypatch: pytest.MonkeyPatch
) -> None:
    detail = shelf.library_tab.detail
    detail.verify.click()
    assert detail.notice.title.text() == "Qwen3-8B: same."
    application.library.finding = Finding.DIFFERENT
    detail.verify.click()
    assert detail.notice.title.text() == "Qwen3-8B: different."
    shown: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: shown.append(QUrl(url).toLocalFile()))
    detail.reveal.click()
    assert shown == ["/home/me/models"]
    shelf.library_tab.list.setFocus()
    QTest.keyClick(shelf.library_tab.list, Qt.Key.Key_Return)
    assert application.loading.loads == ["qwen"]
    assert window.pages.currentWidget() is window.conversation


def test_what_is_away_cannot_be_shown_or_read(shelf: ModelsPage) -> None:
    """Its folder is not there: what needs the file is not offered."""
    tab = shelf.library_tab
    offered = ("chat", "reveal", "verify", "trash")
    assert all(getattr(tab.detail, name).isVisible() for name in offered)
    tab.list.setCurrentIndex(tab.model.index(tab.model.row_of("away")))
    assert [name for name in offered if getattr(tab.detail, name).isVisible()] == ["trash"]
    assert tab.detail.trash.text() == "Forget it"


def test_a_newer_upload_is_looked_for_on_request(shelf: ModelsPage, application: FakeApplication) -> None:
    detail = shelf.library_tab.detail
    assert not detail.newer.isVisible(), "offline nobody can be asked"
    application.network.become(online=True)
    assert detail.newer.isVisible()
    page = content.repository()
    application.browsing.pages[REPO] = msgspec.structs.replace(page, commit="2" * 40)
    detail.newer.click()
    assert "upload" in detail.notice.title.text() or "has" in detail.notice.title.text()
    application.browsing.pages.clear()
    application.browsing.refuse = NotFound("It is not on Hugging Face any more.")
    model = msgspec.structs.replace(application.library.models[0], commit="1" * 40)
    application.library.models[0] = model
    application.publisher.publish(LibraryChanged())
    detail.newer.click()
    assert detail.notice.title.text() == "It is not on Hugging Face any more."


def test_the_trash_is_asked_for_with_what_it_frees(
    shelf: ModelsPage, application: FakeApplication, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    answer = ["Keep it"]

    def answered(box: QMessageBox) -> int:
        asked.append(f"{box.text()} {box.informativeText()}")
        next(button for button in box.buttons() if button.text() == answer[0]).click()
        return 0

    monkeypatch.setattr(QMessageBox, "exec", answered)
    detail = shelf.library_tab.detail
    detail.trash.click()
    assert asked == ["Move Qwen3-8B to the trash? Its file goes to the system's trash. Emptying that frees 5.0 GB."]
    assert application.library.deleted == []
    answer[0] = "Move to the trash"
    QTest.keyClick(shelf.library_tab.list, Qt.Key.Key_Delete)
    assert application.library.deleted == ["qwen"]
    assert shelf.toast.text == "Qwen3-8B lies in the trash now"
    application.publisher.publish(LibraryChanged())
    assert detail.title.text() == "gemma-3-12b-it", "the next one"
    QTest.keyClick(shelf.library_tab.list, Qt.Key.Key_Delete)
    assert "belongs to another program" in shelf.toast.text


def test_adding_a_file_and_a_folder(
    shelf: ModelsPage, application: FakeApplication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "mine.gguf"
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(file), ""))
    shelf.library_tab.add_file.click()
    assert application.library.added == [file]
    assert shelf.toast.text == "mine was added"
    assert shelf.library_tab.detail.title.text() == "mine"
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    shelf.library_tab.add_folder.click()
    assert shelf.toast.text == f"{tmp_path.name} was added, with 2 models"
    application.library.refuse = NotFound("This is no model.")
    shelf.library_tab.add_file.click()
    assert shelf.toast.text == "This is no model."


def test_an_empty_library_says_what_to_do(window: Window, application: FakeApplication) -> None:
    application.library.models = []
    window.show_models("library")
    assert "Get one under Find" in window.visits.models.library_tab.detail.nothing.text()
