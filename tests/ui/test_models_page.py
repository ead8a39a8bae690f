"""The models page: searching, one model and its versions, the library, downloads; by pointer and by keyboard."""

from __future__ import annotations

import sys
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec
import pytest
from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QAccessible, QDesktopServices, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog, QMessageBox
from pytestqt.qtbot import QtBot

from app.engine.values import Origin
from app.hub.errors import NotFound
from app.hub.values import Capability, DownloadState, ModelSummary, Sort
from app.services.changes import DownloadProgressed, LibraryChanged, MachineMeasured
from app.services.errors import NotOpen
from app.services.verifying import Finding
from app.ui.components.models.results import ROW
from app.ui.models.versions import DO, HERE, VERSION, Stage
from app.ui.pages.models.page import ModelsPage
from app.ui.window import Window
from tests.screenshots import content
from tests.support.fake_application import FakeApplication

NOW_MS = 1_790_000_000_000
REPO = "Qwen/Qwen3-8B-GGUF"


@pytest.fixture
def page(window: Window) -> ModelsPage:
    window.show_models()
    return window.visits.models


@pytest.fixture
def online(window: Window, application: FakeApplication) -> ModelsPage:
    application.network.become(online=True)
    window.show_models()
    return window.visits.models


@pytest.fixture
def opened(online: ModelsPage, application: FakeApplication) -> ModelsPage:
    """A first choice whose repository answered."""
    choose(online, REPO)
    application.browsing.show(content.repository(), content.CARD)
    return online


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


def test_before_anything_is_asked_the_first_choices_are_there(page: ModelsPage, application: FakeApplication) -> None:
    assert "Qwen3 8B" in names(page)
    assert application.browsing.queries == []
    assert application.browsing.opened == []
    assert page.find_tab.detail.head.title.text() == names(page)[0], "the first one's own words are shown"
    page.find_tab.search.field.setText("gemma")
    page.find_tab.search.look()
    assert names(page)
    assert all("gemma" in name.lower() for name in names(page))
    assert page.find_tab.detail.head.title.text() == names(page)[0]
    page.find_tab.search.field.setText("no such thing")
    page.find_tab.search.look()
    assert names(page) == []
    assert page.find_tab.search.status.text() == "None of the first choices is like this."
    assert application.browsing.queries == []


def test_it_asks_once_for_going_online(page: ModelsPage, application: FakeApplication) -> None:
    notice = page.find_tab.search.notice
    assert notice.isVisible()
    assert notice.action.text() == "Go online"
    notice.past.click()
    assert application.network.state.mode == "offline"
    assert notice.title.text() == "Inglenook is offline"
    assert (notice.action.text(), notice.past.isVisible()) == ("Privacy", False)
    application.network.become(online=True)
    assert not notice.isVisible()


def test_nobody_is_asked_for_what_nobody_chose(page: ModelsPage, application: FakeApplication) -> None:
    detail = page.find_tab.detail
    page.find_tab.search.notice.action.click()
    assert application.network.state.online
    assert application.browsing.opened == []
    assert detail.notice.action.text() == "Show its versions"
    detail.notice.action.click()
    assert application.browsing.opened == [page.find_tab.search.model.rows[0].repo]


def test_going_online_from_the_page(page: ModelsPage, application: FakeApplication) -> None:
    page.find_tab.search.field.setText("qwen")
    page.find_tab.search.look()
    page.find_tab.search.notice.action.click()
    assert application.network.state.online
    assert application.browsing.queries[-1].text == "qwen", "what was wanted is asked for now"


def test_the_way_to_the_privacy_page_and_what_is_forced(
    window: Window, page: ModelsPage, application: FakeApplication
) -> None:
    application.network.become(online=False)
    page.find_tab.search.notice.action.click()
    assert window.pages.currentWidget() is window.visits.privacy
    application.network.become(online=False, forced_by="--offline")
    window.show_models()
    assert "offline" in page.find_tab.search.notice.detail.text()
    assert not page.find_tab.search.notice.action.isVisible()


def test_typing_waits_and_asks_once(online: ModelsPage, application: FakeApplication, qtbot: QtBot) -> None:
    field = online.find_tab.search.field
    QTest.keyClicks(field, "llama 3b")
    assert application.browsing.queries == []
    qtbot.waitUntil(lambda: len(application.browsing.queries) == 1)
    assert application.browsing.queries[0].text == "llama 3b"
    application.browsing.answer(*content.found())
    assert names(online)[:2] == ["Qwen3 8B", "gemma 3 12b it"]
    QTest.keyClick(field, Qt.Key.Key_Escape)
    assert field.text() == ""
    assert "Qwen3 8B" in names(online)
    assert application.browsing.stopped == 1
    application.browsing.answer(*summaries(3))
    assert "Model 0" not in names(online), "an answer that nobody waits for any more"


def test_filters_make_the_query(online: ModelsPage, application: FakeApplication) -> None:
    search = online.find_tab.search
    search.filters.open_further()
    further = search.filters.further
    assert further.isVisible()
    further.choices["sort"].choose("newest")
    further.choices["family"].choose("Gemma")
    further.choices["size"].choose("9")
    further.choices["license"].choose("mit")
    further.choices["gate"].choose("open")
    search.filters.chips[Capability.VISION].click()
    query = application.browsing.queries[-1]
    assert (query.sort, query.family, query.license, query.gated) == (Sort.NEWEST, "Gemma", "mit", False)
    assert (query.min_params, query.max_params) == (3_500_000_000, 9_500_000_000)
    assert query.capabilities == (Capability.VISION,)
    assert search.filters.more.text() == "More, 5 set"
    QTest.keyClick(further.choices["sort"], Qt.Key.Key_Escape)
    further.clear_all.click()
    assert search.filters.more.text() == "More"


def test_what_fits_here(online: ModelsPage, application: FakeApplication) -> None:
    search = online.find_tab.search
    assert search.filters.fits.isVisible()
    whole = len(names(online))
    search.filters.fits.click()
    assert 0 < len(names(online)) < whole
    search.field.setText("model")
    search.look()
    small, huge, unknown = (
        ModelSummary(repo="acme/Small-GGUF", params=1_000_000_000),
        ModelSummary(repo="acme/Huge-GGUF", params=400_000_000_000),
        ModelSummary(repo="acme/Unknown-GGUF"),
    )
    application.browsing.answer(small, huge, unknown)
    assert names(online) == ["Small"]
    search.filters.fits.click()
    application.browsing.answer(small, huge, unknown)
    spoken = [str(search.model.index(row).data(Qt.ItemDataRole.AccessibleTextRole)) for row in range(3)]
    assert "Fits" in spoken[0]
    assert "Too large" in spoken[1]
    assert "Fits" not in spoken[2]
    assert "tokens per second" in spoken[0]


def test_more_comes_while_one_scrolls(online: ModelsPage, application: FakeApplication) -> None:
    search = online.find_tab.search
    search.field.setText("model")
    search.look()
    application.browsing.answer(*summaries(50), more=True)
    QApplication.processEvents()
    before = application.browsing.asked_for_more
    search.list.verticalScrollBar().setValue(search.list.verticalScrollBar().maximum())
    assert application.browsing.asked_for_more == before + 1
    application.browsing.answer(*summaries(50, 50), first=False)
    assert len(names(online)) == 100
    search.list.verticalScrollBar().setValue(search.list.verticalScrollBar().maximum())
    assert application.browsing.asked_for_more == before + 1, "there is no more"


def test_a_filter_of_this_machine_goes_on_by_itself_but_not_for_ever(
    online: ModelsPage, application: FakeApplication
) -> None:
    search = online.find_tab.search
    search.field.setText("model")
    search.filters.fits.click()
    huge = [ModelSummary(repo=f"acme/Huge-{number}-GGUF", params=10**12) for number in range(3)]
    for _ in range(20):
        application.browsing.answer(*huge, more=True)
    assert names(online) == []
    assert 1 < application.browsing.asked_for_more < 10


def test_scrolling_five_thousand_results_paints_only_what_is_seen(
    online: ModelsPage, application: FakeApplication
) -> None:
    search = online.find_tab.search
    search.field.setText("model")
    search.look()
    for start in range(0, 5000, 50):
        application.browsing.answer(*summaries(50, start), first=start == 0, more=True)
    assert len(names(online)) == 5000
    bar, paint = search.list.verticalScrollBar(), type(search.list.itemDelegate()).paint.__code__
    QApplication.processEvents()
    painted = [0] * 60

    def count(frame: FrameType, event: str, _argument: object) -> None:
        painted[step] += event == "call" and frame.f_code is paint

    sys.setprofile(count)
    try:
        for step in range(60):
            bar.setValue(bar.maximum() * step // 60)
            search.list.viewport().repaint()
    finally:
        sys.setprofile(None)
    assert 0 < max(painted) <= 2 * (search.list.viewport().height() // ROW + 2)


def test_a_page_of_results_costs_the_same_however_many_there_are(
    online: ModelsPage, application: FakeApplication
) -> None:
    search = online.find_tab.search
    search.field.setText("model")
    search.look()
    application.browsing.answer(*summaries(4950), more=True)
    QApplication.processEvents()
    calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        application.browsing.answer(*summaries(50, 4950), first=False, more=True)
        QApplication.processEvents()
    finally:
        sys.setprofile(None)
    assert search.model.rowCount() == len(names(online)) == 5000
    assert calls < 2500, "nothing is asked of each row that was there before"


def test_a_search_that_failed_says_why_with_one_action(
    window: Window, online: ModelsPage, application: FakeApplication
) -> None:
    search = online.find_tab.search
    search.field.setText("qwen")
    search.look()
    application.browsing.answer(*content.found())
    application.browsing.fail("rate_limited", "Hugging Face was asked too often. Try again in 5 minutes.", seconds=300)
    assert search.notice.title.text().startswith("Hugging Face was asked too often")
    assert search.notice.action.text() == "Try again"
    assert len(names(online)) == 5, "what was found stays"
    search.notice.action.click()
    assert len(application.browsing.queries) == 2
    assert not search.notice.isVisible()
    application.browsing.fail("token_refused", "Hugging Face does not accept your access token.")
    search.notice.action.click()
    assert window.pages.currentWidget() is window.settings
    assert QApplication.focusWidget() is window.settings.network.account.field


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


def first_other(page: ModelsPage) -> str:
    return next(row.repo for row in page.find_tab.search.model.rows if row.repo != REPO)


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


def picture() -> bytes:
    from PySide6.QtCore import QBuffer, QByteArray

    image = QImage(40, 20, QImage.Format.Format_RGB32)
    image.fill(Qt.GlobalColor.red)
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QBuffer.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")  # type: ignore[call-overload]
    return bytes(data.data())


# --- on this computer ------------------------------------------------------------------------------------------------


@pytest.fixture
def shelf(window: Window, application: FakeApplication) -> ModelsPage:
    application.library.models = content.shelf()
    window.show_models("library")
    return window.visits.models


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


# --- downloads -------------------------------------------------------------------------------------------------------


@pytest.fixture
def queue(window: Window, application: FakeApplication) -> ModelsPage:
    application.network.become(online=True)
    application.downloading.become(*content.downloads(NOW_MS))
    window.show_models("downloads")
    return window.visits.models


def test_downloads_in_every_state(window: Window, queue: ModelsPage, application: FakeApplication) -> None:
    rows, ended = queue.download_list.rows, queue.download_list.ended
    states = [rows[f"d{number}"].state.text() for number in range(4)]
    assert states == ["62 %", "Checking", "Paused at 18 %", "Waiting"]
    assert rows["d3"].line.text() == "12 GB. Starts when gemma 3 12b it is done."
    assert queue.download_list.summary.text() == "Two at once. 187 GB will be left when all are done."
    window.apply(
        DownloadProgressed(
            id="d0", done_bytes=4_000_000_000, size_bytes=5_027_000_000, bytes_per_s=11_800_000, remaining_s=87
        )
    )
    assert rows["d0"].line.text() == "4.0 of 5.0 GB, 11.8 MB/s, 1 minute left"
    assert rows["d0"].bar.accessibleDescription().startswith("79 %")
    assert ended["d5"].words.text() == "Fingerprint did not match; file removed"
    assert ended["d5"].button.text() == "Try again"
    application.downloading.free_when_done = -5
    application.downloading.become(*application.downloading.downloads)
    assert "not enough room" in queue.download_list.summary.text()


def test_the_ways_to_the_page_show_how_far_downloads_are(window: Window, application: FakeApplication) -> None:
    assert window.sidebar.models.accessibleName() in ("", "Models")
    application.downloading.become(*content.downloads(NOW_MS))
    assert window.sidebar.models.accessibleName() == "Models, 3 downloads under way"
    assert window.rail.models.toolTip() == "Models, 3 downloads under way"
    application.downloading.become()
    assert window.sidebar.models.accessibleName() == "Models"


def test_what_can_be_done_with_downloads(
    queue: ModelsPage, application: FakeApplication, monkeypatch: pytest.MonkeyPatch
) -> None:
    wishes = application.downloading.wishes
    rows = queue.download_list.rows
    rows["d0"].first.click()
    rows["d2"].first.click()
    rows["d3"].up.click()
    assert not rows["d1"].first.isVisible(), "what is being checked cannot be paused"
    queue.download_list.all_button.click()
    queue.download_list.clear.click()
    queue.download_list.ended["d5"].button.click()
    assert wishes == [
        ("pause", "d0"), ("resume", "d2"), ("move_up", "d3"), ("pause_all", ""), ("clear_finished", ""),
        ("resume", "d5"),
    ]  # fmt: skip
    monkeypatch.setattr(
        QMessageBox, "exec", lambda box: next(b for b in box.buttons() if b.text() == "Cancel the download").click()
    )
    kept = rows["d2"]
    rows["d0"].cancel.click()
    rows["d3"].cancel.click()
    assert [wish for wish in wishes if wish[0] == "cancel"] == [("cancel", "d0"), ("cancel", "d3")]
    assert queue.download_list.rows["d2"] is kept, "rows stay the same widgets"
    paused = [
        msgspec.structs.replace(one, state=DownloadState.PAUSED)
        for one in application.downloading.downloads
        if one.state not in (DownloadState.DONE, DownloadState.FAILED)
    ]
    application.downloading.become(*paused)
    assert queue.download_list.all_button.text() == "Go on with all"
    application.downloading.become()
    assert queue.download_list.nothing.isVisible()
    queue.download_list.find_one.click()
    assert queue.tab == "find"


def test_a_failure_of_access_leads_to_its_page(
    queue: ModelsPage, application: FakeApplication, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(QUrl(url).toString()))
    failed = msgspec.structs.replace(application.downloading.downloads[5], code="ask_for_access")
    application.downloading.become(failed)
    queue.download_list.ended["d5"].button.click()
    assert opened == ["https://huggingface.co/Qwen/Qwen2.5-Coder-7B-Instruct-GGUF"]


def test_a_download_whose_host_did_not_get_the_token(
    window: Window, queue: ModelsPage, application: FakeApplication
) -> None:
    application.network.token_goes_to_hub = False
    failed = msgspec.structs.replace(application.downloading.downloads[5], code="token_kept_back")
    application.downloading.become(failed)
    button = queue.download_list.ended["d5"].button
    assert button.text() == "Name this host"
    button.click()
    assert window.settings.network.hosts.hasFocus()
    application.network.token_goes_to_hub = True
    application.settings.change("network.token_hosts", ("mirror.example",))
    assert button.text() == "Try again"
    button.click()
    assert application.downloading.wishes == [("resume", "d5")]


def test_the_pace_is_changed_in_place(queue: ModelsPage, application: FakeApplication) -> None:
    queue.download_list.change.click()
    pace = queue.download_list._pace
    assert pace is not None
    assert pace.isVisible()
    pace.count.choose("3")
    pace.limit.choose("10000000")
    options = application.settings.current.downloads
    assert (options.at_once, options.limit_bytes_per_s) == (3, 10_000_000)
    assert queue.download_list.summary.text().startswith("Three at once, at most 10 MB/s.")


def test_a_finished_one_opens_in_the_library(queue: ModelsPage, application: FakeApplication) -> None:
    done = application.downloading.downloads[4]
    model = msgspec.structs.replace(
        content.shelf()[0], id="new", name="New", repo=done.repo, remote_path=done.files[0].path, origin=Origin.OWN
    )
    application.library.models = [*content.shelf(), model]
    queue.download_list.ended["d4"].button.click()
    assert queue.tab == "library"
    assert queue.library_tab.detail.title.text() == "New"


# --- the page itself --------------------------------------------------------------------------------------------------


def test_ways_to_the_page_and_back(window: Window, page: ModelsPage) -> None:
    assert window.sidebar.models.isChecked()
    assert QApplication.focusWidget() is page.find_tab.search.field
    assert page.place.text().startswith("Kept in")
    QTest.keyClick(page.find_tab.search.list, Qt.Key.Key_Escape)
    assert window.pages.currentWidget() is window.conversation
    window.actions_["find_models"].trigger()
    assert window.pages.currentWidget() is page
    window.resize(1000, 700)
    window.go(window.conversation)
    window.rail.models.click()
    assert window.pages.currentWidget() is page
    assert "Kept in" not in page.place.text()


def test_the_list_of_loaded_models_leads_here(window: Window) -> None:
    window.conversation.toggle_picker()
    window.conversation.picker._find.click()
    assert not window.conversation.picker.isVisible()
    assert window.pages.currentWidget() is window.visits.models
    assert window.visits.models.tab == "find"


def test_the_list_is_walked_from_the_field(online: ModelsPage, application: FakeApplication) -> None:
    search = online.find_tab.search
    QTest.keyClick(search.field, Qt.Key.Key_Down)
    QTest.keyClick(search.field, Qt.Key.Key_Down)
    assert search.list.currentIndex().row() == 1
    QTest.keyClick(search.field, Qt.Key.Key_Return)
    application.browsing.show(content.repository(), repo=search.model.rows[1].repo)
    search.list.setFocus(Qt.FocusReason.TabFocusReason)
    QTest.keyClick(search.list, Qt.Key.Key_Return)
    assert QApplication.focusWidget() is online.find_tab.detail.getting.table
    assert online.find_tab.detail.getting.table.currentIndex().column() == VERSION


def test_names_from_strangers_stay_text(online: ModelsPage, application: FakeApplication) -> None:
    search = online.find_tab.search
    search.field.setText("x")
    search.look()
    hostile = ModelSummary(repo="evil/<b>bold</b>-GGUF", license="<i>own</i>", base_model="<img src=x>")
    application.browsing.answer(hostile)
    search.list.step(1)
    head = online.find_tab.detail.head
    for label in (head.title, head.about_it, head.terms):
        assert label.textFormat() is Qt.TextFormat.PlainText
    widgets: list[Any] = [online.find_tab.detail.getting.why, search.status]
    assert all(widget.textFormat() is Qt.TextFormat.PlainText for widget in widgets)
