"""Finding models: the first choices, going online, searching, filters, many results."""

from __future__ import annotations

import sys
from types import FrameType

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.hub.values import Capability, ModelSummary, Sort
from app.ui.components.models.results import ROW
from app.ui.pages.models.page import ModelsPage
from app.ui.window import Window
from tests.screenshots import content
from tests.support.fake_application import FakeApplication
from tests.ui.models_page.looking import names, summaries


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
