"""Draws every page and state in both themes and three sizes: `python -m tests.screenshots.take FOLDER [--only PART]`.

Real widgets on values; nothing is loaded and no store is opened. `--fonts DIR` adds fonts, to see what a package shows.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import msgspec
from PySide6.QtCore import QEventLoop, Qt, QTimer
from PySide6.QtGui import QFontDatabase
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from app.base.paths import Places
from app.chat.context_view import ContextView
from app.chat.messages import Message, ReplyState
from app.engine.errors import NotAChatModel
from app.engine.hardware import Device, DeviceSpeed
from app.engine.values import Adapter, ModelFile
from app.hub.values import Capability
from app.services.changes import (
    DownloadProgressed,
    EngineState,
    NoteGrew,
    ReplyChanged,
    ReplyGrew,
    ReplyProgressed,
    TroubleChanged,
)
from app.services.errors import InUse
from app.services.leaving import IN_USE
from app.ui.components.transcript.warming import warm_up
from app.ui.deeds import delete
from app.ui.opening import OpenedFiles
from app.ui.theme import style
from app.ui.theme.theme import Theme
from app.ui.widgets.focus_ring import FocusRing
from app.ui.window import Window
from tests.screenshots import content, contexts
from tests.support.fake_application import FakeApplication, FakeLive, starter
from tests.support.fake_plans import CARD, OTHER

SIZES = ((1440, 900), (1024, 700), (880, 600))
SETTLE_MS = 120


@dataclass
class Stage:
    """One window on one fake application."""

    application: FakeApplication
    window: Window
    conversation_id: str


Scene = Callable[[Stage], None]


def _ready(stage: Stage) -> None:
    stage.application.loading.become(EngineState.READY, stage.application.library.models[0])


def conversation(stage: Stage) -> None:
    _ready(stage)
    stage.window.open(stage.conversation_id)


def streaming(stage: Stage) -> None:
    application = stage.application
    application.conversations.messages[stage.conversation_id] = [
        _owned(stage, m) for m in content.turn(ReplyState.WRITING, content.ANSWER + content.END)
    ]
    application.sending.live[stage.conversation_id] = FakeLive("m2")
    conversation(stage)
    stage.window.apply(ReplyProgressed(conversation_id=stage.conversation_id, message_id="m2", done=2752, total=2752))
    change = ReplyChanged(conversation_id=stage.conversation_id, message_id="m2", state=ReplyState.WRITING)
    stage.window.apply(change)
    at = len(content.ANSWER + content.END)
    stage.window.apply(ReplyGrew(conversation_id=stage.conversation_id, message_id="m2", offset=at, text=" € 277"))


def _owned(stage: Stage, message: Message) -> Message:
    return msgspec.structs.replace(message, conversation_id=stage.conversation_id)


def reading(stage: Stage) -> None:
    """The model reads a long prompt."""
    messages = content.turn(ReplyState.READING, "", thinking="")
    stage.application.conversations.messages[stage.conversation_id] = [_owned(stage, m) for m in messages]
    stage.application.sending.live[stage.conversation_id] = FakeLive("m2", ReplyState.READING)
    conversation(stage)
    stage.window.apply(ReplyProgressed(conversation_id=stage.conversation_id, message_id="m2", done=3100, total=6200))


def thinking(stage: Stage) -> None:
    """The thinking of a reasoning model, unfolded."""
    conversation(stage)
    transcript = stage.window.conversation.transcript
    transcript.deeds.fold(1)
    transcript.scroll_to("m1")


def first_start(stage: Stage) -> None:
    stage.application.conversations.rows.clear()
    stage.application.library.models = [starter()]
    stage.window.sidebar.reload()
    _ready(stage)
    stage.window.new()


def new_conversation(stage: Stage) -> None:
    stage.window.new()
    stage.window.conversation.composer.put(
        "Put this letter into plain words, in a few short sentences:\n\nDear tenant,"
    )


def no_model(stage: Stage) -> None:
    stage.application.library.models = []
    stage.window.new()
    stage.window.conversation.reload()


def side_panel(stage: Stage) -> None:
    conversation(stage)
    stage.window.conversation.show_panel(True)
    stage.window.conversation.panel.show_tab("model")


def side_panel_adapters(stage: Stage) -> None:
    """Two adapters, one of them for another model, and one that was not added."""
    files = content.adapters()
    stage.application.adapters.files = files
    used = tuple(Adapter(path=file.path, scale=scale) for file, scale in zip(files[:2], (0.8, 1.0), strict=True))
    stage.application.conversations.configure(stage.conversation_id, adapters=used)
    side_panel(stage)
    panel = stage.window.conversation.panel
    panel.adapters.refuse(files[2].problem)
    settle()
    panel.show_adapters()


def _context(stage: Stage, view: ContextView) -> None:
    """The panel at what fills the model's window."""
    messages = [_owned(stage, m) for m in contexts.turns()]
    stage.application.conversations.messages[stage.conversation_id] = messages
    stage.application.contexts.views[stage.conversation_id] = view
    conversation(stage)
    stage.window.conversation.composer.gauge.click()
    settle()


def context_roomy(stage: Stage) -> None:
    _context(stage, contexts.roomy())


def context_nearly_full(stage: Stage) -> None:
    """A note, a pinned, a trimmed and a left out message; the line and the marks in the conversation."""
    _context(stage, contexts.nearly_full())
    stage.window.conversation.transcript.scroll_to("a6")


def context_choosing(stage: Stage) -> None:
    """Every message, by keyboard."""
    _context(stage, contexts.nearly_full())
    tab = stage.window.conversation.panel.context
    tab.choose.click()
    settle()
    tab.list.by_keyboard = True
    for _ in range(9):
        QTest.keyClick(tab.list, Qt.Key.Key_Down)


def context_full(stage: Stage) -> None:
    """Nothing leaves by itself: the person chooses."""
    _context(stage, contexts.overflowing())


def context_summarising(stage: Stage) -> None:
    _context(stage, contexts.summarising())
    stage.window.apply(NoteGrew(conversation_id=stage.conversation_id, text=contexts.NOTE[:200]))


def context_note(stage: Stage) -> None:
    """The note, being changed."""
    _context(stage, contexts.nearly_full())
    tab = stage.window.conversation.panel.context
    tab.show_note()
    tab.note.field.insertPlainText("Budget: € 30,000. ")


def context_seen(stage: Stage) -> None:
    """What the model saw for one reply."""
    _context(stage, contexts.nearly_full())
    stage.application.contexts.seen["m2"] = contexts.seen()
    stage.window.conversation.verbs.wish("seen", "m2")


def context_endless(stage: Stage) -> None:
    """Ten thousand messages, all of them listed."""
    _context(stage, contexts.endless())
    tab = stage.window.conversation.panel.context
    tab.show_all(True)
    settle()
    tab.middle.verticalScrollBar().setValue(tab.middle.verticalScrollBar().maximum())


def context_new(stage: Stage) -> None:
    """Nothing was said yet."""
    _ready(stage)
    stage.window.new()
    stage.window.conversation.composer.gauge.click()


def refused_full(stage: Stage) -> None:
    """A reply that waits for a choice."""
    sentence = "The conversation no longer fits: it takes 6,304 tokens and the model sees 4,096. Choose what goes."
    messages = contexts.refused("context_full", sentence)
    stage.application.conversations.messages[stage.conversation_id] = [_owned(stage, m) for m in messages]
    stage.application.contexts.views[stage.conversation_id] = contexts.overflowing()
    conversation(stage)


def refused_large(stage: Stage) -> None:
    """A message that is larger than the window."""
    said = "This message needs 9,120 tokens and the model sees 4,096. Send it in parts."
    messages = contexts.refused("message_too_large", f"{said} Or choose a model with a longer context.")
    stage.application.conversations.messages[stage.conversation_id] = [_owned(stage, m) for m in messages]
    stage.application.contexts.views[stage.conversation_id] = msgspec.structs.replace(
        contexts.overflowing(), needs_choice=False, too_large=9120, too_large_said=said
    )
    conversation(stage)
    stage.window.conversation.composer.gauge.click()


def settings_general(stage: Stage) -> None:
    stage.window.show_settings("general")


def settings_appearance(stage: Stage) -> None:
    stage.window.show_settings("appearance")


def settings_conversations(stage: Stage) -> None:
    """What is kept of conversations, with a change that is not in use yet."""
    stage.application.loading.outdated = True
    stage.application.settings.change("cache.parallel", 2)
    stage.window.show_settings("conversations")


def settings_models(stage: Stage) -> None:
    """Further folders, one of them away, a single file, and what other programs hold."""
    stage.application.library.models = content.shelf()
    change = stage.application.settings.change
    change("models.folders", ("/home/me/models-of-the-office", "/media/archive"))
    change("models.files", ("/home/me/Downloads/phi-4-mini.gguf",))
    change("models.hugging_face", False)
    stage.window.show_settings("models")


def settings_hardware(stage: Stage) -> None:
    """A card, another computer that answers, one that does not."""
    plans = stage.application.plans
    plans.computer = msgspec.structs.replace(plans.computer, devices=(CARD, OTHER), on_battery=True)
    stage.application.settings.change("engine.workers", ("192.168.1.20:50052", "localhost:50053"))
    stage.window.show_settings("hardware")


def settings_hardware_end(stage: Stage) -> None:
    """The lower half: other computers."""
    settings_hardware(stage)
    settle()
    bar = stage.window.settings._scrolls["hardware"].verticalScrollBar()
    bar.setValue(bar.maximum())


def settings_hardware_plain(stage: Stage) -> None:
    """Nothing but a processor."""
    stage.window.show_settings("hardware")


def settings_network(stage: Stage) -> None:
    stage.application.settings.change("network.ca_file", "/etc/ssl/office/proxy-authority.pem")
    stage.window.show_settings("network")
    stage.window.settings.network.check.click()


def settings_about(stage: Stage) -> None:
    stage.window.show_settings("about")


def settings_leaving(stage: Stage) -> None:
    stage.window.show_settings("about")
    stage.window.settings.about.leaving.look()


def settings_leaving_refused(stage: Stage) -> None:
    """Another process uses the data."""
    settings_leaving(stage)
    stage.application.leaving.refuse = InUse(IN_USE)
    settle()
    stage.window.settings.about.leaving.remove.click()


def file_refused(stage: Stage) -> None:
    """A file that was opened from outside and is no model."""
    _ready(stage)
    stage.application.library.refuse = NotAChatModel("vocabulary")
    files = OpenedFiles(stage.window)
    files.settle()
    files.open(Path("/home/me/Downloads/vocabulary.gguf"))


def privacy(stage: Stage) -> None:
    stage.application.network.entries = content.ledger(int(time.time() * 1000))
    stage.window.show_privacy()


def privacy_online(stage: Stage) -> None:
    stage.application.network.become(online=True)
    privacy(stage)
    stage.window.visits.privacy.choice.choose("refused")
    stage.window.visits.privacy.reload()


def privacy_forced(stage: Stage) -> None:
    stage.application.network.become(online=False, forced_by="--offline")
    stage.window.show_privacy()


def models_first(stage: Stage) -> None:
    """The first choices, before anybody went online."""
    stage.window.show_models()


def models_offline(stage: Stage) -> None:
    """Offline on purpose."""
    stage.application.network.become(online=False)
    stage.window.show_models()
    stage.window.visits.models.find_tab.search.field.setText("gemma")
    stage.window.visits.models.find_tab.search.look()


def models_found(stage: Stage) -> None:
    """A search, and one of its models."""
    application = stage.application
    application.network.become(online=True)
    stage.window.show_models()
    search = stage.window.visits.models.find_tab.search
    search.field.setText("qwen")
    search.look()
    application.browsing.answer(*content.found())
    search.list.step(1)
    application.browsing.show(content.repository(), content.CARD, "unsloth/Qwen3-8B-GGUF")


def models_chosen(stage: Stage) -> None:
    """A first choice with its versions."""
    stage.application.network.become(online=True)
    stage.window.show_models()
    search = stage.window.visits.models.find_tab.search
    search.list.setCurrentIndex(search.model.index(search.model.row_of("Qwen/Qwen3-8B-GGUF")))
    stage.application.browsing.show(content.repository(), content.CARD)


def models_card(stage: Stage) -> None:
    """The card below the versions."""
    models_chosen(stage)
    settle()
    detail = stage.window.visits.models.find_tab.detail
    detail.verticalScrollBar().setValue(detail.verticalScrollBar().maximum())


def models_filters(stage: Stage) -> None:
    models_found(stage)
    search = stage.window.visits.models.find_tab.search
    search.filters.chips[Capability.TOOLS].setChecked(True)
    search.filters.open_further()


def models_refused(stage: Stage) -> None:
    """Asked too often, and a model that is given on request."""
    models_found(stage)
    browsing = stage.application.browsing
    browsing.fail("rate_limited", "Hugging Face was asked too often. Try again in 5 minutes.")
    search = stage.window.visits.models.find_tab.search
    search.list.step(1)
    browsing.refuse_model(
        "ggml-org/gemma-3-12b-it-GGUF",
        "ask_for_access",
        "ggml-org/gemma-3-12b-it-GGUF is given to those who accept its terms. Open the model's page and ask for "
        "access, then try again.",
        link="https://huggingface.co/ggml-org/gemma-3-12b-it-GGUF",
    )


def models_mirror(stage: Stage) -> None:
    """A mirror that does not get the access token, and a first choice whose version is gone."""
    application = stage.application
    application.network.become(online=True)
    application.network.endpoint, application.network.token_goes_to_hub = "https://mirror.example", False
    stage.window.show_models()
    search = stage.window.visits.models.find_tab.search
    search.list.setCurrentIndex(search.model.index(search.model.row_of("Qwen/Qwen3-8B-GGUF")))
    page = content.repository()
    left = tuple(one for one in page.variants if one.label != "Q4_K_M")
    gated = msgspec.structs.replace(page.summary, gated="manual")
    application.browsing.show(msgspec.structs.replace(page, summary=gated, variants=left), content.CARD)


def models_gone(stage: Stage) -> None:
    """A first choice that is not there any more."""
    stage.application.network.become(online=True)
    stage.window.show_models()
    search = stage.window.visits.models.find_tab.search
    search.list.setCurrentIndex(search.model.index(search.model.row_of("Qwen/Qwen3-8B-GGUF")))
    stage.application.browsing.refuse_model("Qwen/Qwen3-8B-GGUF", "not_on_hub", "It is not there.")


def models_library(stage: Stage) -> None:
    stage.application.library.models = content.shelf()
    stage.application.adapters.files = content.adapters()[::2]
    stage.window.show_models("library")


def models_away(stage: Stage) -> None:
    models_library(stage)
    tab = stage.window.visits.models.library_tab
    tab.list.setCurrentIndex(tab.model.index(3))


def models_downloads(stage: Stage) -> None:
    application = stage.application
    application.network.become(online=True)
    application.settings.change("downloads.limit_bytes_per_s", 12_000_000)
    application.downloading.become(*content.downloads(int(time.time() * 1000)))
    stage.window.apply(
        DownloadProgressed(
            id="d0", done_bytes=3_117_000_000, size_bytes=5_027_000_000, bytes_per_s=11_800_000, remaining_s=162
        )
    )
    stage.window.show_models("downloads")


def models_no_downloads(stage: Stage) -> None:
    stage.window.show_models("downloads")


def _plan(stage: Stage, *devices: Device) -> None:
    """How a model is loaded, on a computer with these devices besides its processor."""
    plans = stage.application.plans
    speeds = tuple(
        DeviceSpeed(name=device.name, bandwidth_bytes_per_s=2.4e11, compute_flops=1.2e13) for device in devices
    )
    plans.computer = msgspec.structs.replace(plans.computer, devices=devices, speeds=speeds)
    stage.application.library.models = [content.large(), *content.shelf()]
    stage.window.visits.show_plan("large")


def plan(stage: Stage) -> None:
    """A part of the layers on a card, the slider of the context in the keyboard's hand."""
    _plan(stage, CARD)
    page = stage.window.visits.plan
    page.controls.context.setFocus()
    page.controls.context.setProperty("keyboard", True)
    QTest.keyClick(page.controls.context, Qt.Key.Key_Right)


def plan_memory(stage: Stage) -> None:
    """No card."""
    stage.window.visits.show_plan("starter")


def plan_two(stage: Stage) -> None:
    """A card here and one in another computer."""
    _plan(stage, CARD, OTHER)


def plan_too_large(stage: Stage) -> None:
    """More on the card than it holds, at a model with experts."""
    stage.application.plans.n_expert_layers = 32
    _plan(stage, CARD)
    page = stage.window.visits.plan
    page.controls.layers["CUDA0"].setValue(32)
    page.controls.layers["CUDA0"].setValue(33)
    page.controls.context.setValue(page.controls.context.maximum())


def plan_stepped(stage: Stage) -> None:
    """The full plan failed the last time."""
    stage.application.plans.stepped_down = "24 of 41 layers on the card instead of 28: it ran out of memory."
    _plan(stage, CARD)


def plan_loading(stage: Stage) -> None:
    """Being loaded."""
    _plan(stage, CARD)
    stage.application.loading.become(
        EngineState.LOADING, content.large(), fraction=0.31, done_bytes=2_790_000_000, total_bytes=9_000_000_000
    )


def plan_refused(stage: Stage) -> None:
    """It would push the system into swap."""
    _plan(stage, CARD)
    stage.application.loading.become(
        EngineState.FAILED,
        content.large(),
        sentence="It needs 9.1 GB of memory and 6.4 GB are free; 2.7 GB of other programs would go to the disk.",
        can_insist=True,
    )


def plan_unknown(stage: Stage) -> None:
    """Nothing is known."""
    stage.application.plans.unknown = True
    _plan(stage)


def picker(stage: Stage) -> None:
    conversation(stage)
    stage.window.conversation.toggle_picker()


def picker_loading(stage: Stage) -> None:
    conversation(stage)
    stage.application.loading.become(
        EngineState.LOADING, content.qwen(), fraction=0.46, done_bytes=2_310_000_000, total_bytes=5_030_000_000
    )
    stage.window.conversation.toggle_picker()


def picker_insist(stage: Stage) -> None:
    """It would push other programs out of memory; a step down is under way after that."""
    conversation(stage)
    stage.window.conversation.toggle_picker()
    stage.application.loading.become(
        EngineState.FAILED,
        content.qwen(),
        sentence="It needs 9.1 GB of memory and 6.4 GB are free.",
        detail="would_swap",
        can_insist=True,
    )


def picker_refused(stage: Stage) -> None:
    conversation(stage)
    stage.window.conversation.toggle_picker()
    stage.application.loading.become(
        EngineState.FAILED,
        content.qwen(),
        sentence="This file is not a chat model: it holds a vocabulary only.",
        detail="general.architecture = llama, 0 tensors",
    )


def search(stage: Stage) -> None:
    conversation(stage)
    stage.window.frame.set_wanted(True)
    stage.window.sidebar.search.setText("heat")
    stage.window.sidebar._search()
    stage.window.sidebar.results.step(1)


def search_nothing(stage: Stage) -> None:
    conversation(stage)
    stage.window.frame.set_wanted(True)
    stage.window.sidebar.search.setText("zebra")
    stage.window.sidebar._search()


def find(stage: Stage) -> None:
    conversation(stage)
    stage.window.show_find()
    stage.window.conversation.find_bar.field.setText("the")
    stage.window.conversation.find_bar._find()


def rename(stage: Stage) -> None:
    conversation(stage)
    stage.window.rename(stage.conversation_id)


def toast(stage: Stage) -> None:
    conversation(stage)
    delete(stage.window, "c6")


def banner(stage: Stage) -> None:
    conversation(stage)
    model = stage.application.library.models[0]
    stage.application.loading.become(
        EngineState.STARTING, model, sentence="It ran out of memory. What was written is kept.", restarted=True
    )


def banner_stepped(stage: Stage) -> None:
    """It ran out of memory, and has less room now."""
    conversation(stage)
    stage.application.loading.become(
        EngineState.READY, content.qwen(), stepped_down="It ran out of memory: 4k of context instead of 8k."
    )


def banner_insist(stage: Stage) -> None:
    """It would push other programs out of memory."""
    conversation(stage)
    stage.application.loading.become(
        EngineState.FAILED,
        content.qwen(),
        sentence="It needs 9.1 GB of memory and 6.4 GB are free.",
        can_insist=True,
    )


def banner_refused(stage: Stage) -> None:
    conversation(stage)
    stage.application.loading.become(
        EngineState.FAILED, content.qwen(), sentence="The model needs 9.1 GB and 6.4 GB are free."
    )


def lost(stage: Stage) -> None:
    messages = content.turn(
        ReplyState.LOST,
        content.ANSWER.split("### Side")[0],
        facts=content.reply_facts(
            error_code="engine_died", error_sentence="The model stopped unexpectedly while it was writing."
        ),
    )
    stage.application.conversations.messages[stage.conversation_id] = [_owned(stage, m) for m in messages]
    conversation(stage)


def failed(stage: Stage) -> None:
    messages = content.turn(
        ReplyState.FAILED,
        "",
        thinking="",
        facts=content.reply_facts(
            generation=None,
            error_code="prompt_too_long",
            error_sentence="The message is longer than the model can read: 9,120 of 8,192 tokens.",
        ),
    )
    stage.application.conversations.messages[stage.conversation_id] = [_owned(stage, m) for m in messages]
    conversation(stage)


def editing(stage: Stage) -> None:
    conversation(stage)
    stage.window.conversation.verbs.begin_edit("m1")


def keyboard_focus(stage: Stage) -> None:
    conversation(stage)
    stage.window.conversation.composer.field.setFocus()
    stage.window.focusNextPrevChild(True)
    stage.window.focusNextPrevChild(True)


def trouble(stage: Stage) -> None:
    stage.window._opened = False
    stage.window.apply(
        TroubleChanged(
            code="database_corrupt",
            sentence="The file with the conversations is damaged and was left as it is.",
            detail="file is not a database (26)",
        )
    )


SCENES: dict[str, Scene] = {
    scene.__name__: scene
    for scene in (
        conversation,
        streaming,
        reading,
        thinking,
        first_start,
        new_conversation,
        no_model,
        side_panel,
        side_panel_adapters,
        context_roomy,
        context_nearly_full,
        context_choosing,
        context_full,
        context_summarising,
        context_note,
        context_seen,
        context_endless,
        context_new,
        refused_full,
        refused_large,
        settings_general,
        settings_appearance,
        settings_conversations,
        settings_models,
        settings_hardware,
        settings_hardware_end,
        settings_hardware_plain,
        settings_network,
        settings_about,
        settings_leaving,
        settings_leaving_refused,
        privacy,
        privacy_online,
        privacy_forced,
        models_first,
        models_offline,
        models_found,
        models_chosen,
        models_card,
        models_filters,
        models_refused,
        models_mirror,
        models_gone,
        models_library,
        models_away,
        models_downloads,
        models_no_downloads,
        plan,
        plan_memory,
        plan_two,
        plan_too_large,
        plan_stepped,
        plan_loading,
        plan_refused,
        plan_unknown,
        picker,
        picker_loading,
        picker_insist,
        picker_refused,
        search,
        search_nothing,
        find,
        rename,
        toast,
        banner,
        banner_stepped,
        banner_insist,
        banner_refused,
        file_refused,
        lost,
        failed,
        editing,
        keyboard_focus,
        trouble,
    )
}


def settle(milliseconds: int = SETTLE_MS) -> None:
    """Lets timers and paints happen."""
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


def take(scene: Scene, theme: Theme, ring: FocusRing, size: tuple[int, int], file: Path) -> None:
    """Draws one picture."""
    with tempfile.TemporaryDirectory() as folder:
        models: list[ModelFile] = [content.qwen(), starter()]
        application = FakeApplication(Path(folder), models)
        conversation_id = content.fill(application, content.done(), int(time.time() * 1000))
        application.settings.change("appearance.theme", theme.preference)
        application.settings.change("appearance.less_motion", True)
        places = Places(content.HOME, content.HOME / "logs")
        window = Window(application, theme, ring, places.data, Path(folder) / "window.json")
        application.publisher.subscribe(window.apply)
        window.resize(*size)
        window.show()
        window.store_settled()
        settle(20)
        scene(Stage(application, window, conversation_id))
        settle()
        window.grab().save(str(file))
        window.close()
        window.deleteLater()
        settle(0)


def main() -> int:
    """Draws what the arguments ask for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--theme", default="paper,night")
    parser.add_argument("--size", default="")
    parser.add_argument("--fonts", type=Path)
    given = parser.parse_args()
    qt = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(qt, QApplication)
    if given.fonts:
        for font in sorted(given.fonts.iterdir()):
            QFontDatabase.addApplicationFont(str(font))
    given.folder.mkdir(parents=True, exist_ok=True)
    warm_up()  # else the code of the first picture may still wait for its colours
    theme = Theme("paper", less_motion=True)
    style.install(qt, theme)
    ring = FocusRing(qt, theme)
    count = 0
    for preference in given.theme.split(","):
        theme.set_preference(preference)
        for name, scene in SCENES.items():
            if given.only and name not in given.only.split(","):
                continue
            for width, height in SIZES:
                if given.size and str(width) != given.size:
                    continue
                take(scene, theme, ring, (width, height), given.folder / f"{name}-{preference}-{width}.png")
                count += 1
    print(f"{count} pictures in {given.folder}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
