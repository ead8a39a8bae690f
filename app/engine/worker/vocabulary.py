"""The vocabulary of a loaded model: text to tokens, tokens to bytes, special tokens, and a hash that names it.

Everything here is native calls and caches around them; what a chat looks like as tokens is prompts.py.
"""

from __future__ import annotations

import ctypes
import hashlib
import re
from functools import cached_property
from itertools import repeat

from app.engine.values import CHANNEL, MESSAGE, MESSAGE_END, NEXT_MESSAGE, THINKING_TAGS
from app.engine.worker.llama import api
from app.engine.worker.model import Model

_SPM = 1  # llama_vocab_type of llama.h
_NONE = 0
# Control tokens whose text a reader of the reply needs: they fold the thinking away.
_VISIBLE = frozenset(tag.encode() for pair in THINKING_TAGS for tag in pair) | {b"<|channel>"}
_CHANNELS = frozenset(token.encode() for token in (CHANNEL, MESSAGE, MESSAGE_END, NEXT_MESSAGE))


class Vocabulary:
    """Tokens of one model. Valid only while the model is open."""

    def __init__(self, model: Model) -> None:
        self._vocab = api.llama_model_get_vocab(model.handle)
        self._kind = int(api.llama_vocab_type(self._vocab))
        self._pre = model.metadata("tokenizer.ggml.pre")
        self._adds_space = self._kind == _SPM and model.metadata("tokenizer.ggml.add_space_prefix") != "false"
        self.n_tokens = int(api.llama_vocab_n_tokens(self._vocab))
        self.bos = int(api.llama_vocab_bos(self._vocab))
        self.eos = int(api.llama_vocab_eos(self._vocab))
        self.adds_bos = bool(api.llama_vocab_get_add_bos(self._vocab)) and self.bos >= 0
        self._pieces: dict[int, bytes | None] = {}
        self._full_pieces: dict[int, bytes] = {}
        self._buffer = ctypes.create_string_buffer(256)

    @property
    def is_empty(self) -> bool:
        """Whether the file has no vocabulary to tokenise with."""
        return self._kind == _NONE or self.n_tokens <= 0

    def tokenize(self, text: str, *, special: bool = True, inner: bool = False) -> list[int]:
        """Token ids of `text`; nothing is put before or after it.

        `special`: the text of control tokens gives these tokens; otherwise it is taken literally. `inner`: the text
        follows other text, so a tokenizer that puts a space before the first word must not.
        """
        if not text:
            return []
        if inner and self._adds_space:
            lead = self._tokenize("\n", special)
            tokens = self._tokenize("\n" + text, special)
            if tokens[: len(lead)] == lead:
                return tokens[len(lead) :]
        return self._tokenize(text, special)

    def _tokenize(self, text: str, special: bool) -> list[int]:
        data = text.encode("utf-8", "replace")
        room = len(data) + 8
        tokens = (ctypes.c_int32 * room)()
        count = api.llama_tokenize(self._vocab, data, len(data), tokens, room, False, special)
        if count < 0:
            room = -count
            tokens = (ctypes.c_int32 * room)()
            count = api.llama_tokenize(self._vocab, data, len(data), tokens, room, False, special)
        return tokens[: max(count, 0)]

    def piece(self, token: int) -> bytes | None:
        """What a reader sees of a sampled token (nothing of a control token), or None for one that ends the reply."""
        try:
            return self._pieces[token]
        except KeyError:
            ends = api.llama_vocab_is_eog(self._vocab, token)
            full = self.full_piece(token)
            piece = None if ends else full if full in self._visible else self._piece(token, special=False)
            self._pieces[token] = piece
            return piece

    def full_piece(self, token: int) -> bytes:
        """The bytes of a token, control tokens included."""
        try:
            return self._full_pieces[token]
        except KeyError:
            piece = self._full_pieces[token] = self._piece(token, special=True)
            return piece

    def _piece(self, token: int, *, special: bool) -> bytes:
        size = api.llama_token_to_piece(self._vocab, token, self._buffer, len(self._buffer), 0, special)
        if size < 0:
            self._buffer = ctypes.create_string_buffer(-size)
            size = api.llama_token_to_piece(self._vocab, token, self._buffer, len(self._buffer), 0, special)
        return self._buffer.raw[:size]

    def special_text(self, token: int) -> str:
        """The text of a special token such as `bos`, or empty for -1."""
        return self.full_piece(token).decode("utf-8", "replace") if token >= 0 else ""

    def has(self, *texts: str) -> bool:
        """Whether each text is one token of its own."""
        return all(len(self._tokenize(text, True)) == 1 for text in texts)

    @cached_property
    def _visible(self) -> frozenset[bytes]:
        return _VISIBLE | _CHANNELS if self.has(CHANNEL, MESSAGE) else _VISIBLE

    @cached_property
    def control_text(self) -> re.Pattern[str] | None:
        """Matches the text of any control token; None when there is none.

        Looked for in what people write: a pasted `<|im_end|>` must not end their turn.
        """
        is_control, get = api.llama_vocab_is_control, api.llama_vocab_get_text
        texts = {
            get(self._vocab, token).decode("utf-8", "replace")
            for token in range(self.n_tokens)
            if is_control(self._vocab, token)
        }
        texts.discard("")
        return re.compile("|".join(re.escape(text) for text in sorted(texts, key=len, reverse=True))) if texts else None

    @cached_property
    def hash(self) -> str:
        """Names the vocabulary, the same in every process: sampled ids mean the same where it is equal."""
        texts = b"\0".join(map(api.llama_vocab_get_text, repeat(self._vocab), range(self.n_tokens)))
        digest = hashlib.sha256(f"{self._kind} {self._pre} {self.n_tokens} {self.bos} {self.eos}\n".encode())
        digest.update(texts)
        return digest.hexdigest()[:32]
