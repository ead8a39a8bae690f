"""What tests run in a process of its own, because it changes that process. The verb is the first argument."""

from __future__ import annotations

import resource
import sys

from app.chat.messages import ReplyState
from app.services.changes import TroubleChanged
from tests.support.application import running, slow_reply


def cramped() -> None:
    """Files may not grow while a conversation goes on; then they may again."""
    long = "word " * 2000
    with running({"replies": [slow_reply(long, 4000.0)]}) as (app, seen):
        first = app.sending.send(None, "Before")
        seen.end_of(first.reply_id)
        size = sum(path.stat().st_size for path in app.places.data.glob("inglenook.db-wal"))
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 2000, hard))
        new = app.sending.send(None, "While it is full " + long)
        second = app.sending.send(first.conversation_id, "Also full " + long)
        for sent in (new, second):
            assert seen.end_of(sent.reply_id).state is ReplyState.DONE
            assert app.conversations.body(sent.reply_id)[0] == long
        say("streamed")
        told = seen.wait_for(TroubleChanged, lambda c: c.code == "not_saved" and bool(c.sentence))
        assert "full" in told.sentence or "conversations" in told.sentence, told
        say("told")
        assert [e.id for e in app.conversations.path(second.conversation_id)][-2:] == [
            second.message_id,
            second.reply_id,
        ]
        assert new.conversation_id in [c.id for c in app.conversations.list()]
        assert app.sending.unsaved
        say("readable")
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        third = app.sending.send(new.conversation_id, "There is room again")
        seen.end_of(third.reply_id)
        assert not app.sending.unsaved
        say("saved")
        seen.wait_for(TroubleChanged, lambda c: c.code == "not_saved" and not c.sentence)
        say("over")
    with running() as (app, _):
        texts = [m.text for m in app.conversations.messages(new.conversation_id)]
        assert texts == ["While it is full " + long, long, "There is room again", long], [t[:30] for t in texts]
        assert len(app.conversations.path(first.conversation_id)) == 4
        assert app.conversations.message(second.reply_id).state is ReplyState.DONE
        assert app.ground.store.check() == []
    say("all there")


def say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    {"cramped": cramped}[sys.argv[1]]()
