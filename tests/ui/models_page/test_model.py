"""One model: its versions, what fits, refusals with their one action, its card."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QAccessible, QDesktopServices
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.hub.values import DownloadState
from app.services.changes import DownloadProgressed, LibraryChanged, MachineMeasured
from app.services.errors import NotOpen
from app.ui.models.versions import DO, HERE, Stage
from app.ui.pages.models.page import ModelsPage
from app.ui.window import Window
from tests.screenshots import content
from tests.support.fake_application import FakeApplication
from tests.ui.models_page.looking import REPO, choose, first_other, names, picture


def test_a_model_and_its_versions(opened: ModelsPage, application: FakeApplication, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: application.browsing.opened == [REPO])
    detail = opened.find_tab.detail
    assert detail.head.title.text() == "Qwen3 8B"
    assert "Apache 2.0" in detail.head.about_it.text()
    assert detail.head.facts.facts["Context"].value.text() == "up to 40k"
    assert "nearly anything" in detail.head.terms.text()
    versions = detail.getting.versions
    assert versions.rowCount() == 6
    assert versions.recommended == "Q4_K_M"
    assert "best balance" in detail.getting.why.text()
    assert detail.getting.button.text() == "Download Q4_K_M, 5.0 GB"
    assert "Comes from huggingface.co" in detail.getting.sentence.text()
    assert application.browsing.cards == [REPO]
    table = QAccessible.queryAccessibleInterface(detail.getting.table)
    assert table.text(QAccessible.Text.Name) == "Versions"
    detail.getting.table.setFocus()
    QTest.keyClick(detail.getting.table, Qt.Key.Key_Up)
    assert detail.getting.button.text() == "Download Q5_K_M, 5.9 GB"
    QTest.keyClick(detail.getting.table, Qt.Key.Key_Return)
    assert [one.label for one in application.downloading.downloads] == ["Q5_K_M"]
    assert versions.stage(2) is Stage.COMING
    assert detail.getting.button.text() == "Show the download"
    assert "queue" in opened.toast.text
    opened.toast.take_back()
    assert application.downloading.downloads == []
    assert versions.stage(2) is Stage.REMOTE
    detail.getting.button.click()
    done = msgspec.structs.replace(application.downloading.downloads[0], state=DownloadState.DONE)
    application.downloading.become(done)
    opened.toast.take_back()
    assert application.downloading.downloads == [done], "what has arrived is not undone"


def test_the_exact_answer_takes_the_place_of_the_guess(
    opened: ModelsPage, application: FakeApplication, qtbot: QtBot
) -> None:
    fitting, getting = application.fitting, opened.find_tab.detail.getting
    qtbot.waitUntil(lambda: fitting.asked == [(REPO, "Q4_K_M")])
    assert "an estimate" in getting.why.text()
    assert "of context fit" in getting.why.text()
    assert "1,000 tokens" in getting.why.text()
    page = content.repository()
    guessed = fitting.quick(page.summary, page.variants[3])
    exact = msgspec.structs.replace(guessed, why="It takes 6.1 GB.", tokens_per_s=41.0)
    fitting.exact_answers["Q4_K_M"].set_result(exact)
    assert "It takes 6.1 GB." in getting.why.text()
    assert getting.versions.index(3, 3).data() == "41"
    assert getting.versions.index(3, HERE).data() == "Fits"
    getting.table.choose("Q8_0")
    qtbot.waitUntil(lambda: fitting.asked[-1] == (REPO, "Q8_0"))
    choose(opened, "Qwen/Qwen3.5-9B-GGUF" if "Qwen/Qwen3.5-9B-GGUF" in names(opened) else first_other(opened))
    application.browsing.show(
        msgspec.structs.replace(page, commit="2" * 40),
        repo=opened.find_tab.detail._row.repo,  # type: ignore[union-attr]
    )
    assert fitting.given_up, "what nobody waits for any more"


def test_a_machine_that_is_measured_later_and_one_that_is_too_small(
    opened: ModelsPage, application: FakeApplication
) -> None:
    getting = opened.find_tab.detail.getting
    computer = application.fitting.computer
    application.fitting.computer = msgspec.structs.replace(
        computer, memory_total_bytes=6_500_000_000, memory_free_bytes=6_000_000_000
    )
    application.publisher.publish(MachineMeasured())
    assert getting.versions.recommended not in ("Q8_0", "Q6_K", "Q4_K_M")
    assert "largest that fits here" in getting.why.text()
    application.fitting.computer = msgspec.structs.replace(
        computer, memory_total_bytes=1_000_000_000, memory_free_bytes=900_000_000
    )
    application.publisher.publish(MachineMeasured())
    assert getting.versions.recommended == ""
    assert "None of its versions fits" in getting.why.text()


def test_what_is_here_already_can_be_chatted_with(
    window: Window, opened: ModelsPage, application: FakeApplication
) -> None:
    application.library.models = content.shelf()
    application.publisher.publish(LibraryChanged())
    getting = opened.find_tab.detail.getting
    assert getting.versions.index(3, DO).data() == "Installed"
    row = opened.find_tab.search.model.row_of(REPO)
    spoken = str(opened.find_tab.search.model.index(row).data(Qt.ItemDataRole.AccessibleTextRole))
    assert "Installed" in spoken
    assert getting.button.text() == "Chat with it"
    getting.button.click()
    assert application.loading.loads == ["qwen"]
    assert window.pages.currentWidget() is window.conversation


@pytest.mark.parametrize(
    ("code", "link", "action"),
    [
        ("log_in", "", "Log in"),
        ("ask_for_access", "https://huggingface.co/x/y", "Ask for access"),
        ("access_waiting", "https://huggingface.co/x/y", "Try again"),
        ("token_kept_back", "", "Name this host"),
        ("access_denied", "https://huggingface.co/x/y", "Open its page"),
        ("name_not_found", "", "Try again"),
    ],
)
def test_each_refusal_has_one_action(
    window: Window, online: ModelsPage, application: FakeApplication, monkeypatch: pytest.MonkeyPatch,
    code: str, link: str, action: str,
) -> None:  # fmt: skip
    opened: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(QUrl(url).toString()))
    choose(online, REPO)
    application.browsing.refuse_model(REPO, code, "It could not be read.", link=link)
    notice = online.find_tab.detail.notice
    assert notice.title.text() == "It could not be read."
    assert notice.action.text() == action
    notice.action.click()
    assert opened == ([link] if action in ("Ask for access", "Open its page") else [])
    assert (window.pages.currentWidget() is window.settings) is (action in ("Log in", "Name this host"))
    assert window.settings.network.hosts.hasFocus() is (action == "Name this host")


def test_a_refused_model_is_asked_for_again_after_logging_in(online: ModelsPage, application: FakeApplication) -> None:
    choose(online, REPO)
    application.browsing.refuse_model(REPO, "log_in", "Log in.")
    application.browsing.opened.clear()
    application.account.log_in("hf_x", keep=False)
    assert application.browsing.opened == [REPO]


def test_a_model_on_request_says_so_before(online: ModelsPage, application: FakeApplication) -> None:
    page = content.repository()
    gated = msgspec.structs.replace(page, summary=msgspec.structs.replace(page.summary, gated="manual"))
    choose(online, REPO)
    application.browsing.show(gated)
    notice = online.find_tab.detail.notice
    assert "want to know who uses it" in notice.title.text()
    assert (notice.action.text(), notice.past.text()) == ("Open its page", "Log in")


def test_a_mirror_that_does_not_get_the_token_is_told_of(
    window: Window, online: ModelsPage, application: FakeApplication
) -> None:
    """Logging in alone would not help; naming the host does, and the page follows."""
    application.network.endpoint, application.network.token_goes_to_hub = "https://mirror.example", False
    page = content.repository()
    gated = msgspec.structs.replace(page, summary=msgspec.structs.replace(page.summary, gated="auto"))
    choose(online, REPO)
    application.browsing.show(gated)
    notice = online.find_tab.detail.notice
    assert "only sent to huggingface.co. If mirror.example is to get it too" in notice.detail.text()
    notice.past.click()
    assert window.settings.network.hosts.hasFocus()
    application.network.token_goes_to_hub = True
    application.settings.change("network.token_hosts", ("mirror.example",))
    assert notice.past.text() == "Log in"
    assert "only sent" not in notice.detail.text()


def test_a_refused_model_is_asked_for_again_after_its_host_was_named(
    online: ModelsPage, application: FakeApplication
) -> None:
    choose(online, REPO)
    application.browsing.refuse_model(REPO, "token_kept_back", "It is only sent to huggingface.co.")
    application.browsing.opened.clear()
    application.settings.change("network.token_hosts", ("mirror.example",))
    assert application.browsing.opened == [REPO]


def test_a_first_choice_whose_version_is_gone(online: ModelsPage, application: FakeApplication) -> None:
    """The best of what is there is recommended instead, and it is said why it is another one."""
    page = content.repository()
    left = msgspec.structs.replace(page, variants=tuple(one for one in page.variants if one.label != "Q4_K_M"))
    choose(online, REPO)
    application.browsing.show(left)
    getting = online.find_tab.detail.getting
    recommended = getting.versions.recommended
    assert recommended
    assert getting.why.text().startswith(
        f"Q4_K_M, the first choice here, is not there any more. {recommended} is recommended"
    )
    assert getting.button.text().startswith(f"Download {recommended}")
    application.browsing.show(msgspec.structs.replace(page, commit="d" * 40))
    assert "any more" not in getting.why.text()
    application.browsing.show(msgspec.structs.replace(page, commit="e" * 40, variants=()))
    assert getting.sentence.text().startswith("Q4_K_M, the first choice here, is not there any more. This repository")


def test_a_first_choice_that_is_gone_altogether(online: ModelsPage, application: FakeApplication) -> None:
    choose(online, REPO)
    application.browsing.refuse_model(REPO, "not_on_hub", "It is not on Hugging Face, or it is private.")
    notice = online.find_tab.detail.notice
    assert notice.title.text() == "This first choice is not there any more"
    assert (notice.action.text(), notice.past.text()) == ("Search for Qwen3 8B", "Try again")
    notice.action.click()
    assert online.find_tab.search.field.text() == "Qwen3 8B"
    assert application.browsing.queries[-1].text == "Qwen3 8B"


def test_the_last_speed_is_known_to_the_next_start(
    window: Window, opened: ModelsPage, application: FakeApplication, make_window: Any
) -> None:
    sentence = opened.find_tab.detail.getting.sentence
    assert "at the last speed" not in sentence.text()
    figures = DownloadProgressed(
        id="d0", done_bytes=1, size_bytes=5_027_000_000, bytes_per_s=11_800_000, remaining_s=162
    )
    window.apply(figures)
    window.keep()
    again = make_window(1200, 800)
    again.show_models()
    page = again.visits.models
    choose(page, REPO)
    application.browsing.show(content.repository(), content.CARD)
    assert "about 7 minutes at the last speed" in page.find_tab.detail.getting.sentence.text()


def test_a_download_that_cannot_be_queued_is_said(opened: ModelsPage, application: FakeApplication) -> None:
    application.downloading.refuse = NotOpen("The conversations are not open yet.")
    opened.find_tab.detail.getting.button.click()
    assert opened.toast.text == "The conversations are not open yet."


def test_a_disk_that_is_too_small_is_said_before(opened: ModelsPage, application: FakeApplication) -> None:
    application.downloading.free = 2_000_000_000
    getting = opened.find_tab.detail.getting
    getting.table.choose("Q8_0")
    assert "Only 2.0 GB are free" in getting.sentence.text()


def test_the_card_is_text_of_a_stranger(opened: ModelsPage, application: FakeApplication) -> None:
    about = opened.find_tab.detail.about
    text = about.view.toPlainText()
    assert "large language models" in text
    assert "<div" not in text
    assert "[Qwen3 banner]" in text, "no picture is loaded, its words are there"
    assert about.view.document().resource(2, QUrl("https://example.org/banner.png")) is None
    application.browsing.show(content.repository(), "")
    assert about.status.text() == "Its makers have written nothing about it here."


def test_pictures_come_only_when_they_are_allowed(opened: ModelsPage, application: FakeApplication) -> None:
    about = opened.find_tab.detail.about
    assert about.pictures.isVisible()
    assert about.pictures.text() == "Show the picture from example.org"
    assert application.pictures.wanted == []
    about.pictures.click()
    assert application.pictures.wanted == [(REPO, "https://example.org/banner.png")]
    application.pictures.answer(REPO, "https://example.org/banner.png", picture())
    assert "[Qwen3 banner]" not in about.view.toPlainText()
    assert not about.pictures.isVisible()
    application.pictures.answer(REPO, "https://example.org/banner.png", b"not a picture")
    application.browsing.show(content.repository(), "No pictures.")
    assert not about.pictures.isVisible()
    application.settings.change("network.card_images", True)
    application.browsing.show(content.repository(), content.CARD)
    assert len(application.pictures.wanted) == 2, "allowed once for all cards"
