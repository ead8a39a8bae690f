"""The list of downloads: every state, what can be done with them, their pace."""

from __future__ import annotations

import msgspec
import pytest
from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QMessageBox

from app.engine.values import Origin
from app.hub.values import DownloadState
from app.services.changes import DownloadProgressed
from app.ui.pages.models.page import ModelsPage
from app.ui.window import Window
from tests.screenshots import content
from tests.support.fake_application import FakeApplication
from tests.ui.models_page.looking import NOW_MS


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
