"""`inglenook chats`: the conversations, as a list, one of them whole, or what the model would see of it."""

from __future__ import annotations

import time
from typing import Any

import click
import msgspec

from app.chat.messages import Conversation, Message, ReplyState, Role
from app.cli.chat_context import context, leave_out, pin, unmark
from app.cli.front import Front, write_json, write_text
from app.cli.numbers import Whole


@click.group()
def chats() -> None:
    """The conversations."""


@chats.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
@click.option("--limit", type=Whole(min=1), help="At most this many.")
@click.pass_obj
def list_chats(front: Front, as_json: bool, limit: int | None) -> int:
    """List the conversations, the newest first."""
    with front.application() as application:
        found = application.conversations.list()[:limit]
    if as_json:
        write_json([_listed(conversation) for conversation in found])
        return 0
    if not found:
        write_text('There is no conversation yet. Begin one: inglenook ask "Why is the sky blue?"')
    for conversation in found:
        write_text(f"{conversation.id}  {_when(conversation.updated_ms)}  {conversation.title}")
    return 0


@chats.command()
@click.argument("conversation", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def show(front: Front, conversation: str, as_json: bool) -> int:
    """Show a conversation. ID may be its beginning only, or 'last'."""
    with front.application() as application:
        found = application.conversations.find(conversation)
        messages = application.conversations.messages(found.id)
    if as_json:
        write_json({**_listed(found), "messages": [_message(message) for message in messages]})
        return 0
    write_text(found.title)
    for message in messages:
        facts = message.facts
        name = "You" if message.role is Role.USER else (facts.model_name if facts is not None else "") or "Model"
        write_text(f"\n{name}:\n{message.text}")
        if message.state is not ReplyState.DONE:
            sentence = facts.error_sentence if facts is not None else ""
            write_text(f"[{message.state.value}{': ' + sentence if sentence else ''}]")
    return 0


for _verb in (context, pin, leave_out, unmark):
    chats.add_command(_verb)


def _listed(conversation: Conversation) -> dict[str, Any]:
    return {
        "id": conversation.id,
        "title": conversation.title,
        "created_ms": conversation.created_ms,
        "updated_ms": conversation.updated_ms,
        "model_id": conversation.model_id,
        "system_prompt": conversation.system_prompt,
    }


def _message(message: Message) -> dict[str, Any]:
    facts = msgspec.to_builtins(message.facts) if message.facts is not None else None
    if facts is not None:
        facts.pop("token_ids", None)
    return {
        "id": message.id,
        "parent_id": message.parent_id,
        "role": message.role.value,
        "text": message.text,
        "thinking": message.thinking,
        "state": message.state.value,
        "created_ms": message.created_ms,
        "facts": facts,
    }


def _when(moment_ms: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(moment_ms / 1000))
