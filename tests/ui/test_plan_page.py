"""The load plan: what it shows, what moving a slider asks for, and what becomes of a load."""

from __future__ import annotations

import time

import msgspec
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.base.errors import InglenookError
from app.services.changes import EngineState, MachineMeasured
from app.ui.pages.plan.page import PlanPage
from app.ui.widgets.surfaces import SCROLL_BAR
from app.ui.window import Window
from tests.screenshots import content
from tests.support.fake_application import FakeApplication
from tests.support.fake_models import starter
from tests.support.fake_plans import CARD, OTHER


def large_model(application: FakeApplication, *devices: object) -> None:
    application.library.models = [content.large(), starter()]
    application.plans.computer = msgspec.structs.replace(application.plans.computer, devices=devices)


def opened(window: Window, model_id: str = "large") -> PlanPage:
    window.visits.show_plan(model_id)
    assert window.pages.currentWidget() is window.visits.plan
    return window.visits.plan


def test_it_is_reached_from_the_library_and_leads_back(window: Window) -> None:
    window.show_models("library")
    detail = window.visits.models.library_tab.detail
    detail.plan.click()
    page = window.visits.plan
    assert window.pages.currentWidget() is page
    assert page.head.name.text() == "SmolLM2-135M-Instruct"
    assert window.sidebar.models.isChecked()
    assert page.footer.load.hasFocus()
    QTest.keyClick(page.footer.load, Qt.Key.Key_Escape)
    assert window.pages.currentWidget() is window.visits.models
    assert window.sidebar.models.isChecked()


def test_without_a_card_nothing_is_drawn_for_one(window: Window, application: FakeApplication) -> None:
    page = opened(window, "starter")
    assert [row.called for row in page.controls._rows_shown()] == [
        "Context length",
        "Conversation memory",
        "Processor threads",
    ]
    assert [picture.title.text() for picture in page.pictures.shown] == ["Memory"]
    assert page.verdict.text() == "Fits, with room to spare."
    assert not page.footer.default.isVisible()
    assert not page.footer.back.isVisible()
    page.footer.load.click()
    assert application.plans.loads == [("starter", None, False)]


def test_a_slider_moves_and_the_rest_follows(window: Window, application: FakeApplication) -> None:
    large_model(application, CARD)
    page = opened(window)
    context, layers = page.controls.context, page.controls.layers["CUDA0"]
    before, first = layers.value(), page.plan
    assert first is not None
    assert first.options.n_ctx == 8192
    assert layers._suggested == before
    context.setFocus()
    QTest.keyClick(context, Qt.Key.Key_Right)
    assert context.accessibleName() == "Context length: 12,288"
    assert context.accessibleDescription() == "About 36 pages; 8,192 suggested"
    assert layers.value() < before  # the longer cache leaves less room on the card
    assert layers.accessibleName() == f"Layers on the card: {layers.value()} of 33"
    QTest.keyClick(context, Qt.Key.Key_PageUp)
    assert page.plan is not None
    assert page.plan.options.n_ctx == 24_576
    layers.setValue(3)  # now it is the person's
    QTest.keyClick(context, Qt.Key.Key_Home)
    assert (layers.value(), page.plan.options.n_ctx) == (3, 512)
    page.footer.load.click()
    (model_id, options, insist) = application.plans.loads[0]
    assert options is not None
    assert (model_id, options.n_ctx, options.n_gpu_layers, options.layers_on, insist) == ("large", 512, 3, (3,), False)
    page.footer.back.click()
    assert layers.value() == before
    assert not page.footer.back.isVisible()


def test_none_on_the_card(window: Window, application: FakeApplication) -> None:
    large_model(application, CARD)
    page = opened(window)
    page.controls.layers["CUDA0"].setValue(0)
    assert page.plan is not None
    assert page.plan.options.n_gpu_layers == 0
    assert page.explanation.text().startswith("It lies in main memory; nothing goes on the graphics card.")
    card = page.pictures.shown[0]
    assert "Weights" not in card.accessibleName()  # no empty entries


def test_two_devices_share_the_layers(window: Window, application: FakeApplication) -> None:
    large_model(application, CARD, OTHER)
    page = opened(window)
    assert page.explanation.text().startswith("Everything goes on 2 devices.")
    here, there = page.controls.layers["CUDA0"], page.controls.layers["RPC0"]
    assert here.value() + there.value() == 33
    assert there.accessibleName().startswith("Layers on Radeon RX 7600: ")
    here.setValue(30)
    assert (here.value(), there.value()) == (30, 3)
    there.setValue(0)
    assert page.plan is not None
    assert (page.plan.options.devices, page.plan.options.layers_on) == (("CUDA0",), (30,))


def test_a_card_that_is_found_later_has_its_place(window: Window, application: FakeApplication, qtbot: QtBot) -> None:
    large_model(application)
    page = opened(window)
    before = page.column.height()
    large_model(application, CARD)
    application.publisher.publish(MachineMeasured())
    inside, width = page.column.widget().layout(), page.column.width() - SCROLL_BAR
    assert inside is not None
    qtbot.waitUntil(lambda: page.column.maximumHeight() == inside.totalHeightForWidth(width) > before)


def test_too_much_on_the_card_is_said_with_numbers(window: Window, application: FakeApplication) -> None:
    large_model(application, CARD)
    page = opened(window)
    page.controls.layers["CUDA0"].setValue(33)
    assert page.verdict.text() == "Too large for this computer, set like this."
    assert page.explanation.text().startswith("GeForce RTX 4060 Laptop would have to hold ")
    assert page.explanation.text().endswith("and 7.6 GB of it are free.")
    assert page.pictures.shown[0].right.text().endswith("too little")


def test_experts_stay_in_memory(window: Window, application: FakeApplication) -> None:
    large_model(application, CARD)
    application.plans.n_expert_layers = 32
    page = opened(window)
    experts = page.controls.experts
    assert experts is not None
    suggested = experts.value()
    assert suggested > 0
    experts.setValue(32)
    assert page.plan is not None
    assert page.plan.options.n_cpu_experts == 32
    page.controls.threads and page.controls.threads.setValue(9)
    assert page.plan.options.n_threads == 9
    assert experts.value() == 32


def test_the_cache_lies_in_main_memory_where_that_is_wanted(window: Window, application: FakeApplication) -> None:
    large_model(application, CARD)
    page = opened(window)
    assert page.plan is not None
    layers, of_card = page.plan.options.n_gpu_layers, page.plan.fit.plan.shares[1].kv_bytes
    assert (page.controls.place.choice(), of_card > 0) == ("device", True)
    page.controls.place._buttons["main"].click()
    assert page.controls.place.choice() == "main"
    assert (page.plan.options.offload_kv, page.plan.fit.plan.shares[1].kv_bytes) == (False, 0)
    assert page.plan.options.n_gpu_layers >= layers, "there is more room for layers"


def test_cache_and_preference(window: Window, application: FakeApplication) -> None:
    large_model(application, CARD)
    page = opened(window)
    page.controls.cache._buttons["q4_0"].click()
    assert page.plan is not None
    assert (page.plan.options.type_k, page.plan.options.type_v) == ("q4_0", "q4_0")
    assert page.controls.cache.choice() == "q4_0"
    page.controls.preference._buttons["least"].click()
    assert application.settings.current.engine.preference == "least"
    assert page.controls.preference.choice() == "least"
    assert page.plan.options.n_ctx == 4096  # what is suggested now


def test_what_was_moved_becomes_the_default_and_can_be_taken_back(window: Window, application: FakeApplication) -> None:
    large_model(application, CARD)
    page = opened(window)
    page.controls.layers["CUDA0"].setValue(3)
    assert not page.footer.default.isVisible()  # layers are of this model alone
    QTest.keyClick(page.controls.context, Qt.Key.Key_Right)
    page.footer.default.click()
    assert application.settings.current.engine.n_ctx == 12_288
    assert application.settings.current.engine.n_gpu_layers == -1
    assert not page.footer.default.isVisible()
    page.toast.take_back()
    assert application.settings.current.engine.n_ctx == 0


def test_the_full_plan_is_tried_again(window: Window, application: FakeApplication) -> None:
    large_model(application, CARD)
    application.plans.stepped_down = "20 layers on the card instead of 24."
    page = opened(window)
    assert page.notice.detail.text() == "20 layers on the card instead of 24."
    page.notice.action.click()
    assert application.plans.forgotten == ["large"]
    assert application.plans.loads == [("large", None, False)]
    assert not page.notice.isVisible()


def test_what_is_kept_is_gone_on_from(window: Window, application: FakeApplication) -> None:
    large_model(application, CARD)
    first = application.plans.plan("large")
    assert first is not None
    application.plans.kept["large"] = msgspec.structs.replace(
        first.options, n_gpu_layers=5, layers_on=(5,), devices=("CUDA0",)
    )
    page = opened(window)
    assert page.controls.layers["CUDA0"].value() == 5
    QTest.keyClick(page.controls.context, Qt.Key.Key_Right)
    assert page.controls.layers["CUDA0"].value() == 5
    page.footer.back.click()
    page.footer.load.click()
    assert application.plans.forgotten == ["large"]


def test_a_load_in_bytes_and_its_end(window: Window, application: FakeApplication) -> None:
    large_model(application, CARD)
    page = opened(window)
    page.controls.layers["CUDA0"].setValue(3)
    application.loading.become(
        EngineState.LOADING, content.large(), fraction=0.31, done_bytes=2_790_000_000, total_bytes=9_000_000_000
    )
    assert page.footer.amount.text() == "Loading Qwen3-14B, 2.8 of 9.0 GB"
    assert not page.footer.load.isVisible()
    page.footer.cancel.click()
    assert application.loading.cancelled == 1
    application.loading.become(EngineState.READY, content.large())
    assert page.controls.layers["CUDA0"].value() == 3  # it was cancelled: what was moved stays
    application.loading.become(EngineState.LOADING, content.large())
    page.controls.layers["CUDA0"].setValue(2)
    application.loading.become(EngineState.READY, content.large())
    assert page.controls.layers["CUDA0"].value() == 2  # moved while it was loaded otherwise
    assert page.footer.load.text() == "Load Qwen3-14B"
    application.loading.become(EngineState.LOADING, content.large())
    application.loading.become(EngineState.READY, content.large())
    assert page.footer.load.text() == "Chat with Qwen3-14B"
    page.footer.load.click()
    assert window.pages.currentWidget() is window.conversation


def test_a_load_that_would_swap_can_be_had_all_the_same(window: Window, application: FakeApplication) -> None:
    large_model(application, CARD)
    page = opened(window)
    sentence = "It needs 9.1 GB and 6.4 GB are free."
    application.loading.become(EngineState.FAILED, content.large(), sentence=sentence, can_insist=True)
    assert page.footer.notice.detail.text() == sentence
    page.footer.notice.action.click()
    assert application.plans.loads == [("large", None, True)]
    application.plans.refuse = InglenookError("This model is no longer there.")
    page.footer.load.click()
    assert page.footer.notice.detail.text() == "This model is no longer there."
    assert not page.footer.notice.action.isVisible()


def test_a_model_nothing_is_known_of(window: Window, application: FakeApplication) -> None:
    application.plans.refuse = InglenookError("The header is damaged.")
    page = opened(window, "starter")
    assert page.explanation.text() == "The header is damaged."
    assert not page.controls.isVisible()
    assert not page.footer.isVisible()


def test_a_stepped_down_model_is_told_once_and_leads_here(window: Window, application: FakeApplication) -> None:
    large_model(application, CARD)
    step = "It ran out of memory: 4k of context instead of 8k."
    application.loading.become(EngineState.READY, content.large(), stepped_down=step)
    banner = window.conversation.banner
    assert banner.detail.text() == f"{step} Nothing you wrote was lost."
    assert window.conversation.header.pill.accessibleName() == "Model: Qwen3-14B, loaded with less than planned"
    assert window.conversation.header.pill._dot == ("ochre", False)
    banner.action.click()
    assert window.pages.currentWidget() is window.visits.plan
    QTest.keyClick(window.visits.plan, Qt.Key.Key_Escape)
    assert window.pages.currentWidget() is window.conversation
    application.loading.become(EngineState.READY, content.large(), stepped_down=step)
    assert not banner.isVisible()


def test_the_banner_offers_to_load_anyway(window: Window, application: FakeApplication) -> None:
    application.loading.become(EngineState.FAILED, starter(), sentence="It would swap.", can_insist=True)
    window.conversation.banner.action.click()
    assert application.plans.loads == [("starter", None, True)]
    window.conversation.toggle_picker()
    application.loading.become(EngineState.FAILED, starter(), sentence="It would swap.", can_insist=True)
    window.conversation.picker._failure.insist.click()
    assert application.plans.loads[1:] == [("starter", None, True)]


@pytest.mark.parametrize("width", [880, 1024, 1440])
def test_nothing_is_cut_off(make_window: object, application: FakeApplication, width: int) -> None:
    large_model(application, CARD, OTHER)
    window = make_window(width, 600)  # type: ignore[operator]
    page = opened(window)
    assert page.column.horizontalScrollBar().maximum() == 0
    for row in page.controls._rows_shown():
        assert not row.title.elided
        assert not row.caption.elided
        assert not row.value.elided
    bottom = page.footer.mapTo(page, page.footer.rect().bottomLeft()).y()
    assert bottom <= page.height()
    assert page.footer.load.isVisible()


def test_tab_goes_from_slider_to_slider_and_brings_them_into_sight(
    make_window: object, application: FakeApplication
) -> None:
    large_model(application, CARD)
    window = make_window(880, 600)  # type: ignore[operator]
    page = opened(window)
    page.controls.layers["CUDA0"].setFocus(Qt.FocusReason.TabFocusReason)
    order = [page.controls.context, page.controls.cache._buttons["f16"], page.controls.place._buttons["device"]]
    order += [page.controls.threads]
    for wanted in order:
        QTest.keyClick(window.focusWidget(), Qt.Key.Key_Tab)
        assert window.focusWidget() is wanted
    threads = page.controls.threads
    assert threads is not None
    assert threads.property("keyboard")
    assert not threads.visibleRegion().isEmpty()


def test_a_slider_answers_at_once(window: Window, application: FakeApplication) -> None:
    large_model(application, CARD)
    page = opened(window)
    times = []
    for at in range(page.controls.context.maximum() + 1):
        begun = time.perf_counter()
        page.controls.context.setValue(at)
        times.append(time.perf_counter() - begun)
    assert sorted(times)[len(times) // 2] < 0.16  # ten times what is promised: a slow machine is no fault
