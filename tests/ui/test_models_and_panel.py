"""Choosing a model, and the values a conversation has of its own."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication
from pytestqt.qtbot import QtBot

from app.base.errors import InglenookError
from app.chat.messages import Message, Role
from app.engine.values import ModelFile, Sampling
from app.services.changes import EngineChanged, EngineState, LibraryChanged
from app.ui.components.model_choice import model_in_use
from app.ui.components.model_picker import ModelPicker, _ModelRow
from app.ui.components.sampling import PRESETS, SCALES, preset_of
from app.ui.window import Window
from tests.support.fake_application import FakeApplication
from tests.support.fake_models import starter


def own_model() -> ModelFile:
    return starter(id="own", name="Own-8B", is_starter=False, quantization="Q4_K_M", size_bytes=5_000_000_000)


def opened(window: Window) -> ModelPicker:
    window.conversation.header.pill.click()
    assert window.conversation.picker.isVisible()
    return window.conversation.picker


def rows(picker: ModelPicker) -> list[_ModelRow]:
    return [row for row in picker.findChildren(_ModelRow) if row.isVisible()]


def test_the_models_are_listed_with_their_facts(window: Window, application: FakeApplication) -> None:
    application.library.models = [own_model(), starter()]
    picker = opened(window)
    assert [row.accessibleName() for row in rows(picker)] == [
        "Own-8B, Q4_K_M · 135M parameters · 5.0 GB",
        "SmolLM2-135M-Instruct, Q4_1 · 135M parameters · 98 MB",
    ]
    assert rows(picker)[0].hasFocus()
    rows(picker)[1].click()
    assert application.loading.loads == ["starter"]


def test_what_can_be_used_comes_first_and_enter_takes_it(window: Window, application: FakeApplication) -> None:
    application.library.models = [starter(id="cut", name="Cut", problem="This model file is incomplete."), own_model()]
    first, last = rows(opened(window))
    assert (first.text(), last.text()) == ("Own-8B", "Cut")
    QTest.keyClick(first, Qt.Key.Key_Return)
    assert application.loading.loads == ["own"]


def test_the_list_goes_when_the_chosen_model_is_there(window: Window, application: FakeApplication) -> None:
    application.library.models = [own_model(), starter()]
    picker = opened(window)
    application.loading.become(EngineState.READY, starter())  # begun before
    assert picker.isVisible()
    rows(picker)[0].click()
    application.loading.become(EngineState.LOADING, own_model())
    application.loading.become(EngineState.READY, starter(), sentence="Own-8B is damaged.")
    assert picker.isVisible()
    application.loading.become(EngineState.READY, own_model())
    assert not picker.isVisible()
    assert window.conversation.composer.field.hasFocus()
    rows(opened(window))[0].click()  # the one that is loaded
    assert not picker.isVisible()


def test_escape_and_a_click_elsewhere_close_it(window: Window) -> None:
    picker = opened(window)
    QTest.keyClick(rows(picker)[0], Qt.Key.Key_Escape)
    assert not picker.isVisible()
    assert window.conversation.header.pill.hasFocus()
    opened(window)
    QTest.mouseClick(window.conversation.composer, Qt.MouseButton.LeftButton)
    assert not picker.isVisible()
    opened(window)
    QTest.mouseClick(window.conversation.header.pill, Qt.MouseButton.LeftButton)
    assert not picker.isVisible()


def test_loading_shows_amounts_and_can_be_cancelled(window: Window, application: FakeApplication) -> None:
    application.library.models = [own_model(), starter()]
    picker = opened(window)
    application.loading.become(EngineState.LOADING, own_model(), fraction=0.0)
    application.loading.become(
        EngineState.LOADING, own_model(), fraction=0.5, done_bytes=2_500_000_000, total_bytes=5_000_000_000
    )
    assert picker._loading_amount.text() == "2.5 of 5.0 GB"
    assert window.conversation.header.pill.accessibleName() == "Model: Own-8B, loading"
    cancel = next(b for b in picker.findChildren(QAbstractButton) if b.text() == "Cancel")
    cancel.click()
    assert application.loading.cancelled == 1
    application.loading.become(EngineState.READY, own_model())
    assert not picker._progress.isVisible()
    assert rows(picker)[0].accessibleName().endswith("loaded")


def test_a_refusal_is_a_sentence_with_details(window: Window, application: FakeApplication) -> None:
    picker = opened(window)
    application.loading.become(EngineState.FAILED, starter(), sentence="Not a chat model.", detail="0 tensors")
    assert picker._failure.sentence.text() == "Not a chat model."
    assert picker._failure.sentence.isVisible()
    assert not picker._failure.detail.isVisible()
    picker._failure.more.click()
    assert picker._failure.detail.isVisible()
    assert not window.conversation.banner.isVisible()  # said once, where the person looks
    application.loading.become(EngineState.LOADING, starter())
    assert not picker._failure.sentence.isVisible()


def test_a_refusal_without_the_list_is_a_banner(window: Window, application: FakeApplication) -> None:
    application.loading.become(EngineState.FAILED, starter(), sentence="Too large.")
    banner = window.conversation.banner
    assert (banner.title.text(), banner.detail.text()) == ("SmolLM2-135M-Instruct could not be loaded", "Too large.")
    banner.action.click()
    assert window.conversation.picker.isVisible()
    assert not banner.isVisible()


def test_unload(window: Window, application: FakeApplication) -> None:
    application.loading.become(EngineState.READY, starter())
    opened(window)._unload.click()
    assert application.loading.unloaded == 1


def test_a_file_is_added_and_loaded(window: Window, application: FakeApplication, tmp_path: Path) -> None:
    window.conversation.verbs.add_model(tmp_path / "new.gguf")
    assert application.loading.loads == ["new"]
    application.library.refuse = InglenookError("This is not a GGUF file.")
    window.conversation.verbs.add_model(tmp_path / "bad.gguf")
    assert window.conversation.picker._failure.sentence.text() == "This is not a GGUF file."


def test_without_models_the_page_says_what_to_do(window: Window, application: FakeApplication) -> None:
    application.library.models = []
    application.publisher.publish(LibraryChanged())
    page = window.conversation
    assert "no model on this computer" in page.greeting.sentence.text()
    assert page.greeting.find_model.isVisible()
    assert page.greeting.open_file.isVisible()
    assert not page.greeting.choose.isVisible()
    assert page.header.pill.accessibleName() == "Model: Choose a model, not loaded"


def test_which_model_is_meant() -> None:
    models = [own_model(), starter()]
    off = EngineChanged(state=EngineState.OFF)
    assert model_in_use(off, models, "") == own_model()
    assert model_in_use(off, models, "starter") == starter()
    assert model_in_use(off, [starter(problem="damaged")], "") is None
    assert model_in_use(EngineChanged(state=EngineState.LOADING, model_id="starter"), models, "own") == starter()


def a_conversation(application: FakeApplication) -> str:
    message = Message(id="u", conversation_id="", parent_id=None, role=Role.USER, text="Hello")
    return application.conversations.add("One", [message])


def test_sliders_configure_the_conversation(window: Window, application: FakeApplication, qtbot: QtBot) -> None:
    conversation_id = a_conversation(application)
    window.open(conversation_id)
    window.conversation.show_panel(True)
    panel = window.conversation.panel
    slider = panel.sampling.sliders["temperature"]
    QTest.keyClick(slider, Qt.Key.Key_Right)
    qtbot.waitUntil(lambda: bool(application.conversations.configured))
    assert application.conversations.rows[conversation_id].sampling == Sampling(temperature=0.75)
    assert slider.accessibleName() == "Temperature: 0.75"
    assert panel.sampling.presets.choice() == ""
    panel.reset.click()
    assert application.conversations.rows[conversation_id].sampling is None
    assert slider.accessibleName() == "Temperature: 0.70"


@pytest.mark.parametrize("preset", list(PRESETS))
def test_presets(window: Window, application: FakeApplication, qtbot: QtBot, preset: str) -> None:
    conversation_id = a_conversation(application)
    window.open(conversation_id)
    window.conversation.show_panel(True)
    sampling = window.conversation.panel.sampling
    sampling.presets.chosen.emit(preset)
    qtbot.waitUntil(lambda: bool(application.conversations.configured))
    kept = application.conversations.rows[conversation_id].sampling
    assert kept is not None
    assert preset_of(kept) == preset
    assert sampling.presets.choice() == preset


def test_seed_and_system_prompt(window: Window, application: FakeApplication, qtbot: QtBot) -> None:
    conversation_id = a_conversation(application)
    window.open(conversation_id)
    window.conversation.show_panel(True)
    panel = window.conversation.panel
    QTest.keyClicks(panel.sampling.seed, "42x")
    QTest.keyClicks(panel.prompt, "Be brief.")
    qtbot.waitUntil(lambda: application.conversations.rows[conversation_id].system_prompt == "Be brief.")
    qtbot.waitUntil(lambda: application.conversations.rows[conversation_id].sampling == Sampling(seed=42))


def test_leaving_keeps_what_was_typed_a_moment_ago(window: Window, application: FakeApplication) -> None:
    conversation_id = a_conversation(application)
    window.open(conversation_id)
    window.conversation.show_panel(True)
    QTest.keyClicks(window.conversation.panel.prompt, "Be brief.")
    window.new()
    assert application.conversations.rows[conversation_id].system_prompt == "Be brief."
    assert window.conversation.panel.prompt.toPlainText() == ""


def test_a_new_conversation_takes_its_values_along(window: Window, application: FakeApplication) -> None:
    window.conversation.show_panel(True)
    panel = window.conversation.panel
    QTest.keyClicks(panel.prompt, "Be brief.")
    panel.sampling.sliders["top_k"].setValue(0)
    QTest.keyClicks(window.conversation.composer.field, "Hello")
    QTest.keyClick(window.conversation.composer.field, Qt.Key.Key_Return)
    choices = application.sending.sent[0][2]
    assert choices is not None
    assert choices.system_prompt == "Be brief."
    assert choices.sampling == Sampling(top_k=0)


@pytest.mark.parametrize("name", list(SCALES))
def test_every_step_of_a_scale_is_its_value(name: str) -> None:
    scale = SCALES[name]
    assert all(scale.to_step(scale.to_value(step)) == step for step in range(scale.steps + 1))
    assert scale.to_value(scale.steps) == pytest.approx(scale.most)
    msgspec.structs.replace(Sampling(), **{name: scale.to_value(0)})


@pytest.mark.parametrize(("name", "word"), [("frequency", "Frequency"), ("presence", "Presence")])
def test_penalties(window: Window, application: FakeApplication, qtbot: QtBot, name: str, word: str) -> None:
    conversation_id = a_conversation(application)
    window.open(conversation_id)
    window.conversation.show_panel(True)
    slider = window.conversation.panel.sampling.sliders[name]
    assert slider.accessibleName() == f"{word}: Off"
    QTest.keyClick(slider, Qt.Key.Key_Right)
    qtbot.waitUntil(lambda: bool(application.conversations.configured))
    assert application.conversations.rows[conversation_id].sampling == msgspec.structs.replace(
        Sampling(), **{name: 0.05}
    )
    QTest.keyClick(slider, Qt.Key.Key_Home)
    assert slider.accessibleName() == f"{word}: −2.00"


def test_reset_forgets_a_movement_of_a_moment_ago(window: Window, application: FakeApplication) -> None:
    conversation_id = a_conversation(application)
    window.open(conversation_id)
    window.conversation.show_panel(True)
    panel = window.conversation.panel
    panel.sampling.sliders["temperature"].setValue(40)
    assert panel.waiting
    panel.reset.click()
    assert not panel.waiting
    assert application.conversations.rows[conversation_id].sampling is None
    assert panel.sampling.sliders["temperature"].accessibleName() == "Temperature: 0.70"


def test_a_preset_leaves_the_ticks_at_the_values_of_the_settings(window: Window, application: FakeApplication) -> None:
    application.settings.change("generation.temperature", 1.0)
    window.conversation.show_panel(True)
    sampling = window.conversation.panel.sampling
    tick = sampling.sliders["temperature"]._suggested
    assert tick == SCALES["temperature"].to_step(1.0)
    sampling.presets.chosen.emit("precise")
    assert sampling.sliders["temperature"]._suggested == tick


def test_tab_goes_through_the_list_of_models_and_closes_it(window: Window) -> None:
    picker = opened(window)
    assert rows(picker)[0].hasFocus()
    stops = []
    while picker.isVisible() and len(stops) < 9:
        window.focusNextPrevChild(True)
        stops.append(QApplication.focusWidget())
    assert stops == [picker._find, picker._open_file, window.conversation.header.panel]


def test_arrows_stay_in_the_list_of_models(window: Window, application: FakeApplication) -> None:
    application.library.models = [own_model(), starter()]
    picker = opened(window)
    first, second = rows(picker)
    assert first.hasFocus()
    QTest.keyClick(first, Qt.Key.Key_Up)
    assert first.hasFocus()
    QTest.keyClick(first, Qt.Key.Key_Down)
    assert second.hasFocus()
    QTest.keyClick(second, Qt.Key.Key_Down)
    QTest.keyClick(picker._open_file, Qt.Key.Key_Down)
    assert picker._open_file.hasFocus()
    assert picker.isVisible()
