"""`inglenook ask`: one question, one answer streamed to standard output, kept as a conversation like the window's."""

from __future__ import annotations

import codecs
import os
import queue
import signal
import stat
import sys
from types import FrameType
from typing import Any

import click
import msgspec

from app.base.sizes import size_words
from app.chat.messages import ReplyFacts, ReplyState
from app.cli.front import FAILED, Application, Front, harmless, recall_model, say_error, write_json
from app.cli.hardware import apply_load_options, devices_of, load_options, show_plan
from app.cli.numbers import MOST_TOKENS, Number, Whole
from app.engine.values import KEPT, GenerationFacts, Sampling
from app.services.changes import Change, EngineChanged, EngineState, ReplyChanged, ReplyGrew, TroubleChanged
from app.services.errors import WouldSwap
from app.services.sending import Choices, Sent

MOST_PIPED_BYTES = 32_000_000
ONCE = ("seed", "max_tokens")  # of this question alone; the other options stay with the conversation that it begins
PATIENCE_S = 3.0  # for a reply to stop after a signal; then its process is ended
DIM, PLAIN, ERASE_LINE = "\x1b[2m", "\x1b[0m", "\r\x1b[K"


@click.command()
@click.argument("question", required=False)
@click.option("--model", metavar="PATH_OR_NAME", help="A GGUF file, or a model of `inglenook models list`.")
@click.option("--lora", metavar="FILE[:SCALE]", multiple=True, help="An adapter to lay over the model; may come again.")
@click.option("--system", metavar="TEXT", help="What the model is told before the conversation.")
@click.option("--continue", "continued", metavar="ID|last", help="Go on with a conversation.")
@click.option("--temporary", is_flag=True, help="Keep nothing of this.")
@click.option("--temperature", type=Number(0, 5), help="Higher is more surprising; 0 takes the likeliest word.")
@click.option("--top-p", type=Number(0, 1), help="Only the likeliest tokens that together reach this share.")
@click.option("--top-k", type=Whole(0, 100_000), help="Only this many of the likeliest tokens; 0 is no limit.")
@click.option("--min-p", type=Number(0, 1), help="Leave out tokens below this share of the likeliest.")
@click.option("--seed", type=Whole(0, 2**32 - 2), help="The same seed repeats the same draws.")
@click.option("--max-tokens", type=Whole(0, MOST_TOKENS), help="Longest answer in tokens; 0 lets the model end.")
@load_options
@click.option("--full-plan", is_flag=True, help="Try again what did not fit before, when less of the model was loaded.")
@click.option("--plan", "show", is_flag=True, help="Show how the model would be loaded, and do nothing else.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of streaming.")
@click.pass_obj
def ask(
    front: Front, /, question: str | None, model: str | None, system: str | None, continued: str | None,
    temporary: bool, full_plan: bool, show: bool, as_json: bool, lora: tuple[str, ...], **options: Any,
) -> int:  # fmt: skip
    """Ask a model and get its answer. QUESTION may also come, or go on, on standard input."""
    text = "" if show else whole_question(question, piped_text())
    if not text.strip() and not show:
        raise click.UsageError("There is no question.")
    with front.application(need_store=not temporary or continued is not None) as application:
        apply_load_options(application, options)
        application.settings.override("cache.parallel", 1)  # one question: no room for others is needed
        model_id = application.library.find(model).id if model is not None else ""
        choices = Choices(system_prompt=system, model_id=model_id)
        if lora:
            choices = msgspec.structs.replace(choices, adapters=tuple(map(application.adapters.named, lora)))
        conversation_id: str | None = None
        base: Sampling | None = None
        if continued is not None:
            conversation = application.conversations.find(continued)
            conversation_id, base = conversation.id, conversation.sampling
            if model is None:
                recall_model(application, conversation)
                model_id = conversation.model_id
        model_id = application.loading.choice(model_id).id
        if full_plan:
            application.plans.forget(model_id)
        if show:
            return show_plan(application, model_id, as_json=as_json)
        given = {name: value for name, value in options.items() if value is not None}
        once = {name: given.pop(name) for name in ONCE if name in given}
        choices = msgspec.structs.replace(choices, **once)
        if given:
            base = base or application.settings.current.generation.sampling()
            choices = msgspec.structs.replace(choices, sampling=msgspec.structs.replace(base, **given))
        return _Asking(application, as_json, model_id).run(conversation_id, text, temporary, choices)


def piped_text() -> str:
    """What comes on standard input, when it is a pipe or a file; '' when it is a terminal or nothing. Raises
    ClickException for what is too long for any model."""
    try:
        kind = os.fstat(sys.stdin.fileno()).st_mode
    except (OSError, ValueError, AttributeError):
        return ""
    if not (stat.S_ISFIFO(kind) or stat.S_ISREG(kind) or stat.S_ISSOCK(kind)):
        return ""
    piped = sys.stdin.buffer.read(MOST_PIPED_BYTES + 1)
    if len(piped) > MOST_PIPED_BYTES:
        raise click.ClickException(f"More than {size_words(MOST_PIPED_BYTES)} come in; no model reads that much.")
    return text_of(piped)


def text_of(piped: bytes) -> str:
    """The text of a file or a program: UTF-8, or UTF-16 with its mark, which Windows' own shell writes."""
    wide = piped.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return piped.decode("utf-16" if wide else "utf-8-sig", errors="replace")


def whole_question(question: str | None, piped: str) -> str:
    """The question, then the piped text it is about; '-' stands for the piped text alone."""
    asked = "" if question in (None, "-") else str(question)
    return "\n\n".join(part for part in (asked.strip(), piped.strip("\n")) if part.strip())


class _Asking:
    """One reply on its way to a terminal, a pipe or a JSON object."""

    def __init__(self, application: Application, as_json: bool, model_id: str) -> None:
        self._application = application
        self._model_id = model_id
        self._as_json = as_json
        self._changes: queue.SimpleQueue[Change | int] = queue.SimpleQueue()
        self._interactive = sys.stderr.isatty() and not as_json
        self._to_terminal = sys.stdout.isatty()
        self._signal = 0
        self._broken = False
        self._ends_line = True
        self._thinking = False
        self._loading = False
        self._kept_step = self._stepped = application.plans.stepped_down(model_id)  # known since it was first needed

    def run(self, conversation_id: str | None, text: str, temporary: bool, choices: Choices) -> int:
        """Asks, streams, and returns the exit code."""
        unsubscribe = self._application.publisher.subscribe(self._changes.put)
        before = {number: signal.signal(number, self._interrupted) for number in _signals()}
        try:
            sent = self._application.sending.send(conversation_id, text, temporary=temporary, choices=choices)
            ended = self._follow(sent.reply_id)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            unsubscribe()
        return self._finish(sent, ended, temporary) if ended is not None else 128 + self._signal

    def _interrupted(self, number: int, frame: FrameType | None) -> None:
        """A signal: the loop is woken and stops the reply. The second one does not wait for that."""
        if self._signal:
            os._exit(128 + number)
        self._signal = number
        self._changes.put(number)

    def _follow(self, reply_id: str) -> ReplyChanged | None:
        """Shows the reply until it ends, and returns how; None when it does not end although it was told to."""
        while True:
            try:
                change = self._changes.get(timeout=PATIENCE_S if self._signal else None)
            except queue.Empty:
                return None
            if isinstance(change, int):
                self._application.sending.stop(reply_id)
            elif isinstance(change, EngineChanged):
                self._show_loading(change)
            elif isinstance(change, ReplyGrew) and change.message_id == reply_id:
                self._show(change)
            elif isinstance(change, TroubleChanged) and change.sentence:
                say_error(change.sentence)
            elif isinstance(change, ReplyChanged) and change.message_id == reply_id and not change.state.live:
                return change

    def _show(self, change: ReplyGrew) -> None:
        if self._as_json or self._broken:
            return
        if change.thinking:
            if self._interactive:
                self._thinking = True
                sys.stderr.write(f"{DIM}{harmless(change.text)}{PLAIN}")
                sys.stderr.flush()
            return
        if self._thinking:
            self._thinking = False
            sys.stderr.write("\n\n")
            sys.stderr.flush()
        try:
            sys.stdout.write(harmless(change.text) if self._to_terminal else change.text)
            sys.stdout.flush()
        except BrokenPipeError:
            self._broken = True
            self._application.sending.stop(change.message_id)
        self._ends_line = change.text.endswith("\n")

    def _show_loading(self, change: EngineChanged) -> None:
        if change.stepped_down and change.stepped_down != self._stepped:
            self._stepped = change.stepped_down
            if self._loading:
                sys.stderr.write(ERASE_LINE)
            say_error(change.stepped_down)
        if not self._interactive:
            return
        loading = change.state in (EngineState.LOADING, EngineState.STARTING)
        if loading:
            far = f"{change.fraction:.0%}"
            if change.total_bytes:
                far = f"{size_words(change.done_bytes)} of {size_words(change.total_bytes)}"
            sys.stderr.write(f"{ERASE_LINE}{DIM}Loading {harmless(change.model_name)} {far}{PLAIN}")
        elif self._loading:
            sys.stderr.write(ERASE_LINE)
        self._loading = loading
        sys.stderr.flush()

    def _finish(self, sent: Sent, ended: ReplyChanged, temporary: bool) -> int:
        if self._broken:
            raise BrokenPipeError
        if not self._as_json and not self._ends_line:
            click.echo()
        facts = ended.facts or ReplyFacts()
        kept_step = self._application.plans.stepped_down(self._model_id)
        if kept_step not in ("", self._kept_step):
            say_error("This model is loaded so from now on; --full-plan tries the full plan again.")
        if ended.state in (ReplyState.FAILED, ReplyState.LOST):
            insist = " With --insist it is loaded all the same." if facts.error_code == WouldSwap.code else ""
            sentence = facts.error_sentence or "The reply failed."
            say_error((sentence.removesuffix(KEPT) if temporary else sentence) + insist)
            return FAILED
        if self._as_json:
            text = self._application.conversations.body(sent.reply_id)[0]
            write_json(self._object(text, None if temporary else sent.conversation_id, facts))
        if self._signal:
            return 128 + self._signal
        return FAILED if self._application.sending.unsaved else 0

    def _object(self, text: str, conversation_id: str | None, facts: ReplyFacts) -> dict[str, Any]:
        made = facts.generation or GenerationFacts(
            prompt_tokens=0, cached_tokens=0, completion_tokens=0, prompt_s=0.0, decode_s=0.0, ttft_s=0.0, seed=0,
            finish_reason="stopped",
        )  # fmt: skip
        ready = self._application.loading.ready
        return {
            "text": text,
            "model": facts.model_name,
            "conversation_id": conversation_id,
            "prompt_tokens": made.prompt_tokens,
            "cached_tokens": made.cached_tokens,
            "completion_tokens": made.completion_tokens,
            "ttft_s": round(made.ttft_s, 4),
            "drafted_tokens": made.drafted_tokens,
            "accepted_tokens": made.accepted_tokens,
            "tokens_per_s": round(made.tokens_per_s, 2),
            "load_s": round(ready.model.load_s, 4) if ready is not None else 0.0,
            "finish_reason": made.finish_reason,
            "devices": devices_of(ready.model if ready is not None else None),
            "adapters": [{"path": one.path, "scale": one.scale} for one in facts.adapters],
        }


def _signals() -> list[signal.Signals]:
    """What ends a command on this platform."""
    names = ("SIGINT", "SIGTERM", "SIGHUP")
    return [getattr(signal, name) for name in names if hasattr(signal, name)]
