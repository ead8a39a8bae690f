"""From messages to prompt tokens: rendering, the sampled tokens of earlier replies put back in, counting.

Reading a reply's text back often gives other tokens than the model sampled, and then the KV cache of all that follows
would be lost. So the sampled ids are spliced in where the reply's text stands in the rendered prompt, and only what is
between is tokenised. How that place is found is regions.py.
"""

from __future__ import annotations

import bisect
import codecs
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from app.engine.values import THINKING_TAGS, PromptMessage
from app.engine.worker.regions import Region, find_regions, marked_content
from app.engine.worker.rolling import common_prefix
from app.engine.worker.templates import ChatTemplate, Message
from app.engine.worker.vocabulary import Vocabulary

T = TypeVar("T")


@dataclass(frozen=True)
class Prompt:
    """Tokens of a whole prompt. `spans`: those each message adds, 0 where it is not found in the rendering.

    `pending`: the bytes of a character that a reply to be continued was cut within.
    """

    tokens: list[int]
    spans: list[int]
    thinking_open: bool
    pending: bytes = b""


@dataclass(frozen=True)
class _Piece:
    """A stretch `start`..`end` of the rendered text and how it becomes tokens."""

    start: int
    end: int
    tokens: list[int] | None = None  # spliced
    literal: bool = False  # text of control tokens in it is only text


class PromptBuilder:
    """Builds the prompts of one model."""

    def __init__(self, vocabulary: Vocabulary, template: ChatTemplate) -> None:
        self._vocabulary = vocabulary
        self._template = template
        # What this prompt and the one before needed: the next one differs at its end.
        self._known: dict[Hashable, Any] = {}
        self._known_before: dict[Hashable, Any] = {}

    def build(
        self, messages: Sequence[PromptMessage], options: Mapping[str, Any], *, continue_final: bool = False
    ) -> Prompt:
        """The prompt for the next reply, or with `continue_final` for more of the last. Raises TemplateBroken and
        TemplateLimit."""
        self._known, self._known_before = {}, self._known
        last = messages[-1] if continue_final and messages and messages[-1].role == "assistant" else None
        before = messages[:-1] if last else messages
        text, regions = self._render(before, options)
        pieces = self._pieces(text, regions, before)
        tokens, ends = self._tokens(text, pieces, [region.end for region in regions])
        spans = [0] * len(messages)
        counted = 0
        for region, end in zip(regions, ends, strict=True):
            spans[region.index] = end - counted
            counted = end
        tail = text[regions[-1].end :] if regions else text
        if last:
            more, said = self._final(last, tail)
            tokens += more
            spans[-1] = len(more)
            tail += said
        pending = self._pending(more) if last else b""
        return Prompt(tokens, spans, _is_thinking_open(tail), pending)

    def beginning(self, messages: Sequence[PromptMessage], options: Mapping[str, Any]) -> list[int]:
        """The tokens that the next prompt begins with, whatever a person adds to the last message, or says next.

        Raises TemplateBroken and TemplateLimit.
        """
        typed = messages[-1].content if messages and messages[-1].role == "user" else ""
        before = messages[:-1] if typed else messages
        one, two = (
            self.build([*before, PromptMessage(role="user", content=typed + more)], options).tokens
            for more in ("a", " b")
        )
        return one[: common_prefix(one, two)]

    # --- rendering ----------------------------------------------------------------------------------------------------

    def _render(self, messages: Sequence[PromptMessage], options: Mapping[str, Any]) -> tuple[str, list[Region]]:
        """The rendered text and where the contents stand in it, in order; those that cannot be found are missing."""
        plain = [_message(message, message.content) for message in messages]
        text = self._template.render(plain, options, add_generation_prompt=True)
        marked = [_message(message, marked_content(message.content, index)) for index, message in enumerate(messages)]
        rendered = self._template.render(marked, options, add_generation_prompt=True)
        return text, find_regions(text, rendered)

    def _final(self, message: PromptMessage, tail: str) -> tuple[list[int], str]:
        """Tokens and text of a reply that is to be continued, right behind the generation prompt `tail`."""
        said = message.content
        if message.thinking:
            used = [pair for pair in THINKING_TAGS if pair[0] in self._template.source]
            opening, closing = (used or THINKING_TAGS)[0]
            opened = "" if _is_thinking_open(tail) else opening + "\n"
            said = opened + message.thinking + (f"\n{closing}\n\n{message.content}" if message.content else "")
        ids = self._sampled(message)
        if ids:
            spoken = self._spoken(ids)[0]
            content, before = message.content.rstrip(), spoken.rstrip()
            if before.endswith(content):
                before = before.removesuffix(content)
                for tag in (tag for pair in THINKING_TAGS for tag in pair):
                    before = before.replace(tag, "")
                if before.strip() == message.thinking.strip():
                    return ids, spoken
        return self._vocabulary.tokenize(said, special=bool(message.thinking), inner=True), said

    # --- splicing -----------------------------------------------------------------------------------------------------

    def _pieces(self, text: str, regions: Sequence[Region], messages: Sequence[PromptMessage]) -> list[_Piece]:
        """The text cut into what is tokenised as it stands, what is spliced, and what is taken literally."""
        pieces: list[_Piece] = []
        done = 0
        control = self._vocabulary.control_text
        for number, region in enumerate(regions):
            message = messages[region.index]
            limit = regions[number + 1].start if number + 1 < len(regions) else len(text)
            piece = None
            if ids := self._sampled(message):
                piece = self._splice(text, done, region, limit, ids)
            if piece is None and control and control.search(text, region.start, region.end):
                piece = _Piece(region.start, region.end, literal=True)
            if piece is not None:
                pieces += [_Piece(done, piece.start), piece]
                done = piece.end
        pieces.append(_Piece(done, len(text)))
        return [piece for piece in pieces if piece.start < piece.end]

    def _splice(self, text: str, floor: int, region: Region, limit: int, ids: list[int]) -> _Piece | None:
        """Sampled `ids` for as much of the text around `region` as they spell; None where they do not spell it."""
        spoken, starts, whole = self._once(tuple(ids), partial(self._spoken, ids))
        content = text[region.start : region.end]
        if content in (spoken.strip(), whole.strip()):
            # The template may have trimmed it; the model did say it so, and the cache holds it so.
            start, end = region.start, region.end
            lead, trail = len(spoken) - len(spoken.lstrip()), len(spoken) - len(spoken.rstrip())
            if lead and text[max(start - lead, floor) : start] == spoken[:lead]:
                start -= lead
            if trail and text[end : min(end + trail, limit)] == spoken[-trail:]:
                end += trail
            return _Piece(start, end, ids)
        at = spoken.rfind(content)
        if at < 0:
            return None
        shift = region.start - at  # from places in `spoken` to places in `text`
        begin, end = at, at + len(content)
        if shift >= floor and text[shift : region.start] == spoken[:at]:
            begin = 0  # the template kept the thinking before it, word for word
        while end < len(spoken) and end + shift < limit and text[end + shift] == spoken[end]:
            end += 1
        # From characters to whole tokens; a token that begins within a character is no place to cut.
        first = next((number for number, start in enumerate(starts) if start >= begin), len(ids))
        last = max((number for number, start in enumerate(starts) if 0 <= start <= end), default=0)
        if first >= last:
            return None
        return _Piece(starts[first] + shift, starts[last] + shift, ids[first:last])

    def _spoken(self, ids: Sequence[int]) -> tuple[str, list[int], str]:
        """The text of sampled tokens as the reply showed it, cut short or ended, and where in it each token begins.

        -1 for a token that begins within a character; one more place is the end.
        """
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        parts: list[str] = []
        starts: list[int] = []
        length = 0
        for token in ids:
            starts.append(-1 if decoder.getstate()[0] else length)
            parts.append(decoder.decode(self._vocabulary.piece(token) or b""))
            length += len(parts[-1])
        starts.append(-1 if decoder.getstate()[0] else length)
        spoken = "".join(parts)
        return spoken, starts, spoken + decoder.decode(b"", True)

    def _pending(self, ids: Sequence[int]) -> bytes:
        """The bytes at the end of `ids` that are no whole character yet."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        for token in ids:
            decoder.decode(self._vocabulary.piece(token) or b"")
        return decoder.getstate()[0]

    def _sampled(self, message: PromptMessage) -> list[int]:
        """The sampled ids of a reply of this very vocabulary, without what ended it."""
        ids = message.token_ids
        if not ids or message.role != "assistant" or message.tokenizer != self._vocabulary.hash:
            return []
        if not all(0 <= token < self._vocabulary.n_tokens for token in ids):
            return []
        end = len(ids)
        while end and self._vocabulary.piece(ids[end - 1]) is None:
            end -= 1
        return list(ids[:end])

    def _once(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` gives, remembered from the prompt before."""
        if key not in self._known:
            self._known[key] = self._known_before[key] if key in self._known_before else make()
        found: T = self._known[key]
        return found

    # --- tokens -------------------------------------------------------------------------------------------------------

    def _tokens(self, text: str, pieces: Sequence[_Piece], marks: Sequence[int]) -> tuple[list[int], list[int]]:
        """Tokens of all pieces, and for each place in `marks` (ascending) how many tokens begin before it."""
        vocabulary = self._vocabulary
        tokens: list[int] = []
        counts: list[int] = []
        for piece in pieces:
            part = text[piece.start : piece.end]
            ids = piece.tokens
            if ids is None:
                special, inner = not piece.literal, piece.start > 0
                ids = self._once(
                    (part, special, inner), partial(vocabulary.tokenize, part, special=special, inner=inner)
                )
            if piece.start == 0 and vocabulary.adds_bos and ids[:1] != [vocabulary.bos]:
                ids = [vocabulary.bos, *ids]
            inside = bisect.bisect_left(marks, piece.end, len(counts))
            counts += self._begun(ids, part, [mark - piece.start for mark in marks[len(counts) : inside]], len(tokens))
            tokens += ids
            counts += [len(tokens)] * (bisect.bisect_right(marks, piece.end, inside) - inside)
        counts += [len(tokens)] * (len(marks) - len(counts))
        return tokens, counts

    def _begun(self, ids: Sequence[int], text: str, places: Sequence[int], before: int) -> list[int]:
        """For each place in the text (ascending), how many of its tokens begin before it, and `before` more."""
        found: list[int] = []
        number = offset = wanted = done = 0
        for place in places:
            wanted += len(text[done:place].encode("utf-8", "replace"))
            done = place
            while number < len(ids) and offset < wanted:
                offset += len(self._vocabulary.full_piece(ids[number]))
                number += 1
            found.append(before + number)
        return found


def _message(message: PromptMessage, content: str) -> Message:
    values = {"role": message.role, "content": content}
    if message.thinking:
        values["reasoning_content"] = message.thinking
    return values


def _is_thinking_open(tail: str) -> bool:
    """Whether the text ends inside a thinking block."""
    return any(tail.rfind(opening) > tail.rfind(closing) for opening, closing in THINKING_TAGS)
