"""A conversation in an application whose engine is scripted, and whose requests are looked at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from app.bootstrap import Application
from app.chat.context_view import ContextView, Standing
from app.chat.messages import ReplyState
from app.engine.values import GenerateRequest
from app.services.sending import Choices
from tests.support.application import Recorder, reply, running

WORDS = "word " * 60  # 65 tokens with what the scripted template puts around them
PATIENCE_S = 30.0


class Chat:
    """A conversation in an application whose engine's requests are kept."""

    def __init__(self, app: Application, seen: Recorder) -> None:
        self.app, self.seen = app, seen
        self.id = ""
        self.ids: list[str] = []
        self.requests: list[GenerateRequest] = []
        generate = app.engine.generate

        def watched(request: GenerateRequest, on_event: Any = None) -> Any:
            self.requests.append(request)
            return generate(request, on_event)

        app.engine.generate = watched  # type: ignore[method-assign]

    def say(self, text: str = WORDS, *, state: ReplyState = ReplyState.DONE, **choices: Any) -> Any:
        """One turn; returns the facts of its reply."""
        sent = self.app.sending.send(self.id or None, text, choices=Choices(**choices))
        self.id = sent.conversation_id
        self.ids += [sent.message_id, sent.reply_id]
        return self.ended(sent.reply_id, state)

    def again(self, reply_id: str, state: ReplyState = ReplyState.DONE) -> Any:
        """Another reply to the same question; returns its facts."""
        other = self.app.sending.regenerate(reply_id)
        self.ids[self.ids.index(reply_id)] = other
        return self.ended(other, state)

    def ended(self, reply_id: str, state: ReplyState = ReplyState.DONE) -> Any:
        ended = self.seen.end_of(reply_id)
        assert ended.state is state, ended.facts
        assert ended.facts is not None
        return ended.facts

    def view(self, draft: str = "") -> ContextView:
        return self.app.contexts.view(self.id, draft).result(PATIENCE_S)

    def standings(self, draft: str = "") -> list[Standing]:
        return [entry.standing for entry in self.view(draft).entries if entry.kind == "message"]

    def sent(self) -> list[tuple[str, str]]:
        """What the engine was asked last."""
        return [(message.role, message.content) for message in self.requests[-1].messages]


@contextmanager
def chatting(*replies: dict[str, Any], n_ctx: int = 400, **script: Any) -> Iterator[Chat]:
    with running({"replies": list(replies) or [reply(WORDS)], "n_ctx": n_ctx, **script}) as (app, seen):
        yield Chat(app, seen)
