"""`inglenook chats context`: what the model would see of a conversation; and pinning or leaving out a message."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import click
import msgspec

from app.chat.context_view import ContextEntry, ContextView
from app.cli.front import Front, recall_model, say_error, write_json, write_text
from app.cli.numbers import MOST_TOKENS, Whole
from app.engine.errors import EngineError

_WHO = {"user": "you", "assistant": "model", "system": ""}


@click.command()
@click.argument("conversation", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--estimate", is_flag=True, help="Do not load the model to count.")
@click.option("--ctx", type=Whole(256, MOST_TOKENS), help="Context length for this command.")
@click.pass_obj
def context(front: Front, conversation: str, as_json: bool, estimate: bool, ctx: int | None) -> int:
    """List what the model would see of a conversation. ID may be its beginning only, or 'last'.

    Each message is kept, pinned, summarised, trimmed (it no longer fits) or outside (left out by hand, or empty), with
    its tokens. The model is loaded to count them.
    """
    with front.application() as application:
        if ctx is not None:
            application.settings.override("engine.n_ctx", ctx)
        application.settings.override("cache.parallel", 1)
        found = application.conversations.find(conversation)
        recall_model(application, found)
        try:
            view = application.contexts.view(found.id, load=not estimate).result()
        except EngineError as error:
            say_error(f"{error.sentence} The tokens are estimated.")
            view = application.contexts.view(found.id).result()
    if as_json:
        write_json(_object(view))
        return 0
    write_text(found.title)
    _write(view)
    return 0


@click.command()
@click.argument("message", metavar="MESSAGE")
@click.pass_obj
def pin(front: Front, message: str) -> int:
    """Keep a message in what the model sees, whatever else must go. `chats context --json` gives the ids."""
    with front.application() as application:
        _done(application.contexts.pin(message))
    return 0


@click.command(name="leave-out")
@click.argument("message", metavar="MESSAGE")
@click.pass_obj
def leave_out(front: Front, message: str) -> int:
    """Never send a message again."""
    with front.application() as application:
        _done(application.contexts.leave_out(message))
    return 0


@click.command()
@click.argument("message", metavar="MESSAGE")
@click.pass_obj
def unmark(front: Front, message: str) -> int:
    """Take back pinning or leaving out."""
    with front.application() as application:
        _done(application.contexts.unmark(message))
    return 0


def _done(future: Future[None]) -> None:
    future.result()


def _object(view: ContextView) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(view)
    return {**found, "free": view.free, "by_kind": view.by_kind(), "old_thinking": view.old_thinking}


def _write(view: ContextView) -> None:
    about = "" if view.exact else " (estimated)"
    write_text(f"{view.model_name}: {view.used:,} of {view.limit:,} tokens{about}, {view.reserve:,} kept for the reply")
    for entry in view.entries:
        write_text(_line(entry))
    if view.old_thinking:
        write_text(f"Earlier thinking is not sent: {view.old_thinking:,} tokens.")
    if view.needs_choice:
        write_text("It does not fit: choose what is left out before the next message.")
    if view.too_large:
        write_text(view.too_large_said)
    if view.read_again:
        write_text(view.read_again)


def _line(entry: ContextEntry) -> str:
    name = f"{entry.turn} {_WHO.get(entry.role, entry.role)}" if entry.kind == "message" else entry.kind
    tokens = f"{entry.tokens:,}" if entry.tokens == entry.own_tokens else f"{entry.tokens:,} of {entry.own_tokens:,}"
    return f"  {name:<13} {entry.standing.value:<11} {tokens:>13}  {entry.excerpt}".rstrip()
