"""What the model sees, with the real engine: counted, rolled, summarised, and what a strange template costs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from app.bootstrap import Application
from app.chat.context_view import Policy, Standing
from app.chat.messages import ReplyFacts, ReplyState
from app.engine.values import Sampling
from app.services.changes import ContextChanged
from app.services.sending import Choices
from tests.support import tiny_models
from tests.support.application import Recorder, running_real

WORDS = "The lighthouse keeper counts the ships that pass in the fog. " * 4
BRIEF = "the hound in the den and the wind over the water "
WAIT_S = 60.0


class Chat:
    """A conversation with the real engine."""

    def __init__(self, app: Application, seen: Recorder) -> None:
        self.app, self.seen = app, seen
        self.id = ""
        self.ids: list[str] = []

    def say(self, text: str = WORDS, *, max_tokens: int = 24, **choices: Any) -> ReplyFacts:
        sampling = Sampling(seed=1, max_tokens=max_tokens)
        sent = self.app.sending.send(self.id or None, text, choices=Choices(sampling=sampling, **choices))
        self.id = sent.conversation_id
        self.ids += [sent.message_id, sent.reply_id]
        ended = self.seen.end_of(sent.reply_id)
        assert ended.state is ReplyState.DONE, ended.facts
        assert ended.facts is not None
        assert ended.facts.generation is not None
        return ended.facts

    def view(self, draft: str = "") -> Any:
        return self.app.contexts.view(self.id, draft).result(WAIT_S)


@pytest.fixture
def chat() -> Iterator[Chat]:
    with running_real(n_ctx=512, n_threads=1) as (app, seen):
        yield Chat(app, seen)


@pytest.mark.usefixtures("starter_model")
def test_a_view_counts_what_will_be_read(chat: Chat) -> None:
    facts = chat.say("Why is the sky blue?")
    assert facts.generation is not None
    view = chat.view("And at night?")
    assert view.exact
    known = facts.generation.prompt_tokens + facts.generation.completion_tokens
    assert known - 2 <= view.cached <= known
    then = chat.say("And at night?").generation
    assert then is not None
    assert then.prompt_tokens == view.used
    assert then.cached_tokens >= view.cached
    assert view.grow_to == 1024
    assert view.grow_bytes >= 512 * 23_040  # 30 layers of 3 heads of 64 numbers, keys and values, 2 bytes each


@pytest.mark.usefixtures("starter_model")
def test_what_is_typed_is_read_before_it_is_sent(chat: Chat) -> None:
    chat.say("Why is the sky blue?")
    chat.app.settings.override("engine.read_ahead", False)
    first = chat.view(WORDS)
    assert chat.view(WORDS).cached == first.cached, "nothing is read where that is not wanted"
    chat.app.settings.override("engine.read_ahead", True)
    chat.view(WORDS)
    chat.app.settings.override("engine.read_ahead", False)
    view = first
    while view.used - view.cached > 10:  # the end of the turn is read when it is sent
        view = chat.view(WORDS)
    assert view.cached > first.cached
    then = chat.say(WORDS).generation
    assert then is not None
    assert then.cached_tokens == view.cached


def test_a_rolling_window_reads_only_what_is_new(chat: Chat) -> None:
    model = tiny_model(chat)
    chat.say(BRIEF, model_id=model)
    rolled = before = 0
    for _ in range(11):
        view = chat.view(BRIEF)
        facts = chat.say(BRIEF)
        made = facts.generation
        assert made is not None
        assert made.prompt_tokens == view.used
        assert facts.reread_tokens == 0
        rolled += facts.trimmed > before
        before = facts.trimmed
        assert made.prompt_tokens - made.cached_tokens <= 60, facts  # the question and the end of the turn before
    assert rolled >= 2
    entries = [entry.standing for entry in chat.view().entries]
    assert entries[0] is Standing.TRIMMED
    assert entries[-2:] == [Standing.KEPT, Standing.KEPT]


def test_what_is_left_out_by_hand_is_read_anew(chat: Chat) -> None:
    model = tiny_model(chat)
    for _ in range(8):
        facts = chat.say(BRIEF, model_id=model)
    assert facts.generation is not None
    assert facts.generation.shifted_tokens > 0
    first = next(entry for entry in chat.view().entries if entry.standing is Standing.KEPT)
    chat.app.contexts.leave_out(first.message_id)
    made = chat.say("And now?").generation
    assert made is not None
    assert made.shifted_tokens == 0
    assert made.cached_tokens < 60  # only what the template puts first
    assert chat.view().entries[chat.ids.index(first.message_id)].standing is Standing.OUTSIDE


def tiny_model(chat: Chat, template: str = tiny_models.CHATML) -> str:
    """The id of a model of random weights: it writes nonsense, at once, and its tokens are counted like any other's."""
    path = chat.app.places.models / "Odd.gguf"
    path.parent.mkdir(parents=True, exist_ok=True)
    tiny_models.dense(path, template=template)
    chat.app.library.refresh()
    return next(model.id for model in chat.app.library.list() if model.path == str(path))


@pytest.mark.usefixtures("starter_model")
def test_the_model_itself_writes_the_note(chat: Chat) -> None:
    words = WORDS * 2
    chat.say(words, max_tokens=8)
    chat.app.contexts.set_policy(chat.id, Policy.SUMMARISE)
    chat.seen.wait_for(ContextChanged)
    facts = chat.say(words, max_tokens=8)
    while not facts.note:
        assert len(chat.ids) < 20
        facts = chat.say(words, max_tokens=8)
    view = chat.view()
    assert view.note == facts.note
    assert view.entries[0].kind == "note"
    assert 0 < view.entries[0].tokens < 110
    assert view.entries[1].standing is Standing.SUMMARISED
    assert chat.app.conversations.body(chat.ids[0])[0] == words
    next_one = chat.say("Go on.", max_tokens=8)
    assert next_one.note == facts.note
    assert next_one.generation is not None
    assert next_one.generation.cached_tokens > 60  # the note's own sequence did not take the conversation's place


@pytest.mark.parametrize("rewrites", [True, False])
def test_a_template_that_rewrites_what_was_said_is_told_of(chat: Chat, rewrites: bool) -> None:
    head = "{{ messages | length }}" if rewrites else "0"
    model = tiny_model(chat, head + tiny_models.CHATML)
    assert chat.say("the " * 40, model_id=model).reread_tokens == 0
    facts = chat.say("the")
    view = chat.view()
    assert facts.generation is not None
    if rewrites:
        assert facts.generation.cached_tokens == 0
        assert facts.reread_tokens > 60
        assert f"{facts.reread_tokens:,} tokens again" in view.read_again
        assert chat.app.contexts.seen_by(chat.ids[-1]).result(WAIT_S).read_again == view.read_again
    else:
        assert facts.generation.cached_tokens > 60
        assert (facts.reread_tokens, view.read_again) == (0, "")
    edited = chat.app.sending.edit(chat.ids[0], "the a")
    ended = chat.seen.end_of(edited.reply_id)
    assert ended.facts is not None
    assert ended.facts.reread_tokens == 0  # the person's own doing is no surprise
