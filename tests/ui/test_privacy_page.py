"""The privacy page: the switch shows what is, the ledger follows, and everything is reached by keyboard."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog

from app.privacy.errors import Offline
from app.privacy.ledger import Outcome
from app.services.changes import LedgerChanged
from app.services.network import NOTHING_LEAVES, ONLINE
from app.ui.models.ledger import LedgerModel
from app.ui.pages.privacy.page import AT_ONCE, NOTHING_REFUSED, NOTHING_YET, PrivacyPage
from app.ui.window import Window
from tests.screenshots import content
from tests.support.fake_application import FakeApplication

NOW_MS = 1_790_000_000_000


@pytest.fixture
def page(window: Window, application: FakeApplication) -> PrivacyPage:
    application.network.entries = content.ledger(NOW_MS)
    window.show_privacy()
    return window.visits.privacy


def column(page: PrivacyPage, number: int) -> list[str]:
    return [str(page.model.index(row, number).data()) for row in range(page.model.rowCount())]


def test_the_line_at_the_foot_follows_the_network(window: Window, application: FakeApplication) -> None:
    feet = (window.sidebar.footer, window.rail.footer)
    assert {foot.accessibleName() for foot in feet} == {NOTHING_LEAVES}
    application.network.become(online=True)
    assert {foot.accessibleName() for foot in feet} == {ONLINE}
    application.network.become(online=False)
    assert {foot.accessibleName() for foot in feet} == {NOTHING_LEAVES}


def test_the_menu_turns_the_switch(window: Window, application: FakeApplication) -> None:
    offline = window.actions_["offline"]
    assert offline.isChecked()
    offline.trigger()
    assert application.network.state.online
    assert not offline.isChecked()
    offline.trigger()
    assert not application.network.state.online
    assert offline.isChecked()
    application.network.refuse = Offline("Not today.")
    offline.trigger()
    assert offline.isChecked()
    assert window.conversation.toast.text == "Not today."


def test_the_switch_on_the_page(window: Window, application: FakeApplication, page: PrivacyPage) -> None:
    switch = page.card.switch
    assert switch.isChecked()
    assert page.card.title.text() == "Offline"
    switch.setFocus()
    QTest.keyClick(switch, Qt.Key.Key_Space)
    assert application.network.state.online
    assert (page.card.title.text(), switch.isChecked()) == ("Online", False)
    switch.click()
    assert (application.network.state.online, switch.isChecked()) == (False, True)
    application.network.refuse = Offline("Not today.")
    switch.click()
    assert switch.isChecked()


def test_what_is_forced_cannot_be_turned(window: Window, application: FakeApplication, page: PrivacyPage) -> None:
    application.network.become(online=False, forced_by="INGLENOOK_OFFLINE")
    assert not page.card.switch.isEnabled()
    assert "INGLENOOK_OFFLINE" in page.card.words.text()
    assert not window.actions_["offline"].isEnabled()
    window.go(window.conversation)
    assert not window.actions_["offline"].isEnabled()


def test_the_ledger_is_shown_as_it_is(page: PrivacyPage) -> None:
    assert column(page, 1)[:3] == ["huggingface.co", "localhost:8180", "us.aws.cdn.hf.co"]
    assert column(page, 3) == ["0 B", "3.2 kB", "0.9 kB", "0.6 kB", "0.6 kB", "0.3 kB"]
    assert column(page, 4)[2] == "2.0 GB"
    assert column(page, 5) == ["Refused", "This computer", "Allowed", "Allowed", "Allowed", "Failed"]
    assert "Switch it online first" in str(page.model.index(0, 5).data(Qt.ItemDataRole.ToolTipRole))
    assert page.table.height() == 32 + 6 * 40
    assert not page.none.isVisible()
    table = QAccessible.queryAccessibleInterface(page.table)
    assert table.text(QAccessible.Text.Name) == "Network ledger"
    assert table.role() is QAccessible.Role.Table
    spoken = page.model.index(0, 5).data(Qt.ItemDataRole.AccessibleTextRole)
    assert spoken == "Outcome: Refused"


def test_only_what_was_refused(page: PrivacyPage, application: FakeApplication) -> None:
    page.choice.chosen.emit("refused")
    page.choice.choose("refused")
    page.reload()
    assert column(page, 5) == ["Refused"]
    application.network.entries = []
    application.publisher.publish(LedgerChanged())
    assert page.none.text() == NOTHING_REFUSED
    assert page.none.isVisible()
    assert not page.table.isVisible()
    page.choice.choose("all")
    page.reload()
    assert page.none.text() == NOTHING_YET


def test_new_entries_come_on_top_and_the_place_is_kept(page: PrivacyPage, application: FakeApplication) -> None:
    entries = application.network.entries
    page.table.setFocus()
    page.table.selectRow(2)
    grown = msgspec.structs.replace(entries[0], received_bytes=5_000)
    application.network.entries = [grown, *entries[1:]]
    application.publisher.publish(LedgerChanged())
    assert column(page, 4)[0] == "5.0 kB"
    application.network.entries = [msgspec.structs.replace(grown, id="new"), *application.network.entries]
    application.publisher.publish(LedgerChanged())
    assert page.model.rowCount() == 7
    assert page.table.currentIndex().row() == 3


def test_a_hidden_page_reads_nothing_and_catches_up(
    window: Window, page: PrivacyPage, application: FakeApplication
) -> None:
    window.go(window.conversation)
    application.network.entries = application.network.entries[:2]
    application.publisher.publish(LedgerChanged())
    assert page.model.rowCount() == 6
    window.show_privacy()
    assert page.model.rowCount() == 2


def test_a_long_ledger_comes_in_parts(page: PrivacyPage, application: FakeApplication) -> None:
    one = application.network.entries[2]
    application.network.entries = [msgspec.structs.replace(one, id=f"x{n}") for n in range(AT_ONCE + 30)]
    application.publisher.publish(LedgerChanged())
    assert page.model.rowCount() == AT_ONCE
    assert page.more.isVisible()
    QApplication.processEvents()
    page.table.setFocus()
    page.table.setCurrentIndex(page.model.index(AT_ONCE - 1, 0))
    bottom = page.table.mapTo(page, page.table.rect().bottomLeft()).y()
    assert bottom <= page.height() + 40, "the row that the keyboard reached is seen"
    page.more.click()
    assert page.model.rowCount() == AT_ONCE + 30
    assert not page.more.isVisible()


def test_names_from_strangers_stay_text(page: PrivacyPage, application: FakeApplication) -> None:
    one = msgspec.structs.replace(
        application.network.entries[0], what="Search for “<img src=x><b>bold</b>”", outcome=Outcome.ALLOWED
    )
    application.network.entries = [one]
    page.reload()
    tip = str(page.model.index(0, 2).data(Qt.ItemDataRole.ToolTipRole))
    assert "&lt;img" in tip
    assert "<img" not in tip


def test_a_ledger_that_cannot_be_read_is_said(page: PrivacyPage, application: FakeApplication) -> None:
    application.network.refuse = Offline("The disk is gone.")
    page.reload()
    assert page.none.text() == "The disk is gone."
    assert page.model.rowCount() == 0


def test_saving(
    window: Window, page: PrivacyPage, application: FakeApplication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "ledger.csv"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(target), ""))
    page.save.click()
    assert application.network.saved == [target]
    assert page.toast.text == "6 entries saved in ledger.csv"
    application.network.refuse = Offline("It could not be saved.")
    page.save_as(target)
    assert page.toast.text == "It could not be saved."
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: ("", ""))
    page.save.click()
    assert application.network.saved == [target]


def test_ways_to_the_page_and_back(window: Window, page: PrivacyPage) -> None:
    assert window.sidebar.privacy.isChecked()
    assert not window.sidebar.settings.isChecked()
    QTest.keyClick(page, Qt.Key.Key_Escape)
    assert window.pages.currentWidget() is window.conversation
    assert not window.sidebar.privacy.isChecked()
    window.sidebar.privacy.click()
    assert window.pages.currentWidget() is page
    window.sidebar.settings.click()
    assert window.pages.currentWidget() is window.settings
    assert (window.sidebar.settings.isChecked(), window.sidebar.privacy.isChecked()) == (True, False)
    window.resize(1000, 700)
    window.rail.privacy.click()
    assert window.pages.currentWidget() is page
    assert window.rail.privacy.isChecked()
    window.rail.privacy.click()
    assert window.rail.privacy.isChecked()


def test_what_is_kept(page: PrivacyPage, application: FakeApplication) -> None:
    assert page.conversations.title.text() == "0 conversations"
    application.places.data.mkdir(exist_ok=True)
    application.places.database.write_bytes(bytes(20_000))
    application.conversations.add("One")
    page.reload()
    assert page.conversations.title.text() == "1 conversation"
    assert page.conversations.size_label.text() == "20 kB"
    assert page.models.title.text() == "1 model"


def test_the_model_of_rows_stands_alone() -> None:
    model = LedgerModel()
    model.show([])
    model.show(content.ledger(NOW_MS))
    model.show(content.ledger(NOW_MS)[3:])
    assert model.rowCount() == 3
    assert model.rowCount(model.index(0, 0)) == 0
    assert model.headerData(0, Qt.Orientation.Horizontal) == "When"
