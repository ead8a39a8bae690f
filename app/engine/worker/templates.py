"""Chat templates: the one in the model file, or a fallback that fits the vocabulary; system messages it does not take.

Text in, text out; tokens are prompts.py's. The sandbox with its limits is sandbox.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jinja2

from app.engine.errors import TemplateBroken, TemplateLimit
from app.engine.values import CHANNEL, THINKING_TAGS
from app.engine.worker.sandbox import SOURCE_LIMIT, Environment, LimitReached, TemplateRaised

Message = dict[str, str]
_TEMPLATE_NAMES = frozenset({"messages", "add_generation_prompt", "bos_token", "eos_token", "tools", "documents"})
# What a template can raise beside its own errors: it is a program over values it does not know.
_FAULTS = (
    jinja2.TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError, AssertionError,
    NameError, RuntimeError, SyntaxError, OSError,
)  # fmt: skip

_LOOP = "{% for m in messages %}"
_END = "{% endfor %}"
# Formats of which the vocabulary gives the model away: (tokens it must have, template).
_FALLBACKS: tuple[tuple[tuple[str, ...], str], ...] = (
    (
        ("<|im_start|>", "<|im_end|>"),
        _LOOP + "<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n" + _END
        + "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
    ),
    (
        ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
        "{{ bos_token }}" + _LOOP
        + "<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n{{ m.content | trim }}<|eot_id|>" + _END
        + "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}",
    ),
    (
        ("<start_of_turn>", "<end_of_turn>"),
        "{{ bos_token }}" + _LOOP + "{% if m.role == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
        "<start_of_turn>{{ 'model' if m.role == 'assistant' else m.role }}\n{{ m.content | trim }}<end_of_turn>\n"
        + _END + "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}",
    ),
    (
        ("<|user|>", "<|assistant|>"),
        _LOOP + "<|{{ m.role }}|>\n{{ m.content }}{{ '<|end|>' if ends else eos_token }}\n" + _END
        + "{% if add_generation_prompt %}<|assistant|>\n{% endif %}",
    ),
    (
        ("[INST]", "[/INST]"),
        "{{ bos_token }}" + _LOOP + "{% if m.role == 'system' %}{{ raise_exception('no system role') }}"
        "{% elif m.role == 'user' %}[INST] {{ m.content }} [/INST]{% else %} {{ m.content }}{{ eos_token }}{% endif %}"
        + _END,
    ),
)  # fmt: skip
_TRANSCRIPT = (
    _LOOP + "{% if m.role == 'system' %}{{ m.content }}\n\n{% else %}"
    "{{ 'User' if m.role == 'user' else 'Assistant' }}: {{ m.content }}\n{% endif %}" + _END
    + "{% if add_generation_prompt %}Assistant:{% endif %}"
)  # fmt: skip
_TRANSCRIPT_STOPS = ("\nUser:", "\nAssistant:")


class _RefusedError(Exception):
    """The template raised on purpose: another shape of the conversation may please it."""


class ChatTemplate:
    """Renders conversations for one model. `stop` are strings that end a reply where no token of the model does."""

    def __init__(self, source: str, *, bos: str, eos: str, has_tokens: Callable[..., bool]) -> None:
        """`source`: what the file holds, maybe empty. `has_tokens(*texts)`: whether each is one token."""
        self.stop: tuple[str, ...] = ()
        self._variables: dict[str, Any] = {"bos_token": bos, "eos_token": eos, "tools": None, "documents": None}
        if "{" not in source:  # nothing, or the name of a format
            source, self.stop = _fallback(has_tokens)
            self._variables["ends"] = has_tokens("<|end|>")
        self.source = source
        self._environment = Environment()
        self._compiled: jinja2.Template | None = None

    @property
    def can_think(self) -> bool:
        """Whether the template knows of thinking, by what such templates are written with."""
        marks = ("enable_thinking", "reasoning_content", CHANNEL, *(opening for opening, _ in THINKING_TAGS))
        return any(mark in self.source for mark in marks)

    def render(self, messages: Sequence[Message], options: Mapping[str, Any], *, add_generation_prompt: bool) -> str:
        """The prompt. Where the template refuses or drops a system message, its text opens the first user message.

        Raises TemplateBroken and TemplateLimit.
        """
        refusal = ""
        for shape in (_as_is, _folded, _merged):
            shaped = shape(messages)
            if shaped is None:
                continue
            try:
                text = self._rendered(shaped, options, add_generation_prompt)
            except _RefusedError as refused:
                refusal = refusal or str(refused)
                continue
            if shape is _as_is and _lost_system(shaped, text):
                continue
            return text
        raise TemplateBroken(refusal or "it leaves the system message out")

    def _rendered(self, messages: Sequence[Message], options: Mapping[str, Any], add_generation_prompt: bool) -> str:
        extra = {key: value for key, value in options.items() if key not in _TEMPLATE_NAMES}
        variables = {
            **self._variables, **extra, "messages": messages, "add_generation_prompt": add_generation_prompt
        }  # fmt: skip
        size = sum(len(value) for message in messages for value in message.values())

        def action() -> str:
            if self._compiled is None:  # here, because compiling is limited too
                if len(self.source) > SOURCE_LIMIT:
                    raise LimitReached(f"it is {len(self.source)} characters long")
                self._compiled = self._environment.from_string(self.source)
            return self._environment.rendered(self._compiled, variables)

        try:
            return self._environment.run(action, size)
        except TemplateRaised as error:
            raise _RefusedError(f"{TemplateBroken.REFUSES}{error}") from error
        except LimitReached as error:
            raise TemplateLimit(str(error)) from error
        except _FAULTS as error:
            raise TemplateBroken(f"{type(error).__name__}: {error}"[:500]) from error


def _fallback(has_tokens: Callable[..., bool]) -> tuple[str, tuple[str, ...]]:
    """A template for this vocabulary, and the strings that end a reply where no token of the model does."""
    for needed, template in _FALLBACKS:
        if has_tokens(*needed):
            return template, ()
    return _TRANSCRIPT, _TRANSCRIPT_STOPS


def _lost_system(messages: Sequence[Message], text: str) -> bool:
    system = [m["content"].strip() for m in messages if m["role"] == "system"]
    return any(words and words not in text for words in system) and any(m["role"] == "user" for m in messages)


def _as_is(messages: Sequence[Message]) -> Sequence[Message] | None:
    return messages


def _folded(messages: Sequence[Message]) -> Sequence[Message] | None:
    """System text at the head of the first user message; None when there is nothing to fold."""
    system = [m["content"] for m in messages if m["role"] == "system" and m["content"].strip()]
    rest = [dict(m) for m in messages if m["role"] != "system"]
    first = next((m for m in rest if m["role"] == "user"), None)
    if len(rest) == len(messages) or first is None:
        return None
    first["content"] = "\n\n".join([*system, first["content"]])
    return rest


def _merged(messages: Sequence[Message]) -> Sequence[Message] | None:
    """Folded, and neighbours of one role joined, for templates that insist on turns; None when nothing changes."""
    rest = [dict(m) for m in (_folded(messages) or messages)]
    joined: list[Message] = []
    for message in rest:
        if joined and joined[-1]["role"] == message["role"]:
            joined[-1]["content"] += "\n\n" + message["content"]
        else:
            joined.append(message)
    return joined if len(joined) < len(rest) else None
