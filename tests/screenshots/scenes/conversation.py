"""What the conversation page shows: replies in every state, the first page, find, the model picker, toasts, banners."""

from __future__ import annotations

from pathlib import Path

from app.chat.messages import ReplyState
from app.engine.errors import NotAChatModel
from app.engine.values import Adapter
from app.services.changes import EngineState, ReplyChanged, ReplyGrew, ReplyProgressed, TroubleChanged
from app.ui.deeds import delete
from app.ui.opening import OpenedFiles
from tests.screenshots import content
from tests.screenshots.stage import Scene, Stage, owned, ready, settle
from tests.support.fake_conversations import FakeLive
from tests.support.fake_models import starter


def conversation(stage: Stage) -> None:
    ready(stage)
    stage.window.open(stage.conversation_id)


def streaming(stage: Stage) -> None:
    application = stage.application
    application.conversations.messages[stage.conversation_id] = [
        owned(stage, m) for m in content.turn(ReplyState.WRITING, content.ANSWER + content.END)
    ]
    application.sending.live[stage.conversation_id] = FakeLive("m2")
    conversation(stage)
    stage.window.apply(ReplyProgressed(conversation_id=stage.conversation_id, message_id="m2", done=2752, total=2752))
    change = ReplyChanged(conversation_id=stage.conversation_id, message_id="m2", state=ReplyState.WRITING)
    stage.window.apply(change)
    at = len(content.ANSWER + content.END)
    stage.window.apply(ReplyGrew(conversation_id=stage.conversation_id, message_id="m2", offset=at, text=" € 277"))


def reading(stage: Stage) -> None:
    """The model reads a long prompt."""
    messages = content.turn(ReplyState.READING, "", thinking="")
    stage.application.conversations.messages[stage.conversation_id] = [owned(stage, m) for m in messages]
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
    ready(stage)
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


def file_refused(stage: Stage) -> None:
    """A file that was opened from outside and is no model."""
    ready(stage)
    stage.application.library.refuse = NotAChatModel("vocabulary")
    files = OpenedFiles(stage.window)
    files.settle()
    files.open(Path("/home/me/Downloads/vocabulary.gguf"))


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
    stage.application.conversations.messages[stage.conversation_id] = [owned(stage, m) for m in messages]
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
    stage.application.conversations.messages[stage.conversation_id] = [owned(stage, m) for m in messages]
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


SCENES: tuple[Scene, ...] = (
    conversation,
    streaming,
    reading,
    thinking,
    first_start,
    new_conversation,
    no_model,
    side_panel,
    side_panel_adapters,
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
