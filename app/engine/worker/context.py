"""A llama.cpp context: the batch, decoding, the KV memory's positions, and the switch that aborts a running decode.

Only the llama.cpp thread calls in here, but for `Abort`, which any thread may set.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import os
from typing import Any

from app.engine.values import LoadOptions
from app.engine.worker.llama import api, log
from app.engine.worker.model import Model
from app.engine.worker.speculation import MOST

DEFAULT_N_CTX = 8192
MOST_SLOTS = 64
DECODED, NO_ROOM, ABORTED, ALLOCATION_FAILED, COMPUTE_FAILED = 0, 1, 2, -2, -3  # what llama_decode returns
_PARTIAL = 1  # LLAMA_STATE_SEQ_FLAGS_PARTIAL_ONLY: of the memory only what cannot be cut
_CACHE_TYPES = {"f32": 0, "f16": 1, "q4_0": 2, "q4_1": 3, "q5_0": 6, "q5_1": 7, "q8_0": 8, "iq4_nl": 20, "bf16": 30}


class Abort:
    """Aborts llama_decode from another thread, at the next node of the compute graph.

    ggml asks a C function between nodes, hundreds of times for a token. A Python function there would take the GIL
    every time and cost a tenth of the speed. So the function is libc's strlen and its argument a two-byte buffer, whose
    length is 0 (go on) until the first byte is set, then 1 (abort). No Python runs, and setting it is seen at once.
    """

    def __init__(self) -> None:
        libc = ctypes.CDLL("ucrtbase" if os.name == "nt" else None)
        self._buffer = ctypes.create_string_buffer(2)
        self.function: Any = ctypes.cast(libc.strlen, api.ggml_abort_callback)
        self.data = ctypes.cast(self._buffer, ctypes.c_void_p)

    def set(self) -> None:
        """Abort the decode that runs now, or the next one."""
        self._buffer[0] = b"\x01"

    def clear(self) -> None:
        """Let decoding go on."""
        self._buffer[0] = b"\x00"


class ContextError(Exception):
    """llama.cpp could not create a context; the text is the last lines of its log."""


class Context:
    """One context with its KV memory and one preallocated batch of `n_batch` tokens.

    `n_ctx` is the window of one conversation, `n_cells` what all `n_slots` share. `spare`: a sequence id beyond the
    slots, for copies on their way to or from a file; -1 where it would cost memory.
    """

    def __init__(self, model: Model, options: LoadOptions, n_threads: int, abort: Abort) -> None:
        """Raises ContextError; ValueError for an unknown cache type."""
        params = api.llama_context_default_params()
        # A window longer than the model was trained for gives text that falls apart.
        wanted = options.n_ctx or DEFAULT_N_CTX
        window = max(min(wanted, model.n_ctx_train or wanted), 16)
        self.n_slots = max(min(options.n_seq_max, MOST_SLOTS), 1)
        self.spare = -1 if model.n_swa or model.is_recurrent else self.n_slots
        params.n_ctx = max(options.n_cells, window)
        params.n_batch = max(min(options.n_batch, params.n_ctx), 1)
        params.n_ubatch = max(min(options.n_ubatch, params.n_batch), 1)
        params.n_seq_max = self.n_slots + (self.spare >= 0)
        # A row of logits for each sequence, or for one that guesses ahead; one for each token would be 100 MB more.
        params.n_outputs_max = max(params.n_seq_max, min(MOST + 1, params.n_batch))
        params.n_outputs_max_per_seq = params.n_outputs_max
        params.n_threads = params.n_threads_batch = n_threads
        params.type_k, params.type_v = _cache_type(options.type_k), _cache_type(options.type_v)
        params.offload_kqv = options.offload_kv
        params.swa_full = False
        params.kv_unified = True
        self.flash_attention = int(params.flash_attn_type)
        self.moved = False  # positions were changed and the next decode has not made it true yet
        params.no_perf = True
        log.clear()
        self.handle = api.llama_init_from_model(model.handle, params)
        if not self.handle:
            raise ContextError(log.errors())
        self.memory = api.llama_get_memory(self.handle)
        self._abort = abort
        self._model = model
        api.llama_set_abort_callback(self.handle, abort.function, abort.data)
        self.n_cells = int(api.llama_n_ctx(self.handle))
        self.n_ctx = min(self.n_cells, max(window, 256))
        self.n_batch = int(api.llama_n_batch(self.handle))
        self.n_threads = n_threads
        self._make_batch()

    def _make_batch(self) -> None:
        size = self.n_batch
        self._tokens: Any = (ctypes.c_int32 * size)()
        self._positions: Any = (ctypes.c_int32 * size)()
        self._counts = (ctypes.c_int32 * size)(*([1] * size))
        self._slots = [ctypes.pointer(ctypes.c_int32(slot)) for slot in range(self.n_slots + (self.spare >= 0))]
        self._sequences = (ctypes.POINTER(ctypes.c_int32) * size)(*([self._slots[0]] * size))
        self._outputs: Any = (ctypes.c_int8 * size)()
        self._batch = api.llama_batch(
            n_tokens=0,
            token=self._tokens,
            embd=None,
            pos=self._positions,
            n_seq_id=self._counts,
            seq_id=self._sequences,
            logits=self._outputs,
        )
        self._filled = 0
        self._padded = 0

    def close(self) -> None:
        """Free the context; a second call does nothing."""
        if self.handle:
            api.llama_free(self.handle)
            self.handle = None

    @property
    def has_memory(self) -> bool:
        """False for models that read without remembering: they cannot chat."""
        return bool(self.memory)

    # --- batch --------------------------------------------------------------------------------------------------------

    def clear_batch(self) -> None:
        """Begin a new batch."""
        self._filled = 0

    def add(self, slot: int, tokens: list[int], position: int, *, output: bool) -> int:
        """Put tokens of one sequence into the batch, from `position` on. `output`: logits of the last one are wanted.

        Returns the batch index of the last one. There must be room.
        """
        start, end = self._filled, self._filled + len(tokens)
        if end - start == 1:
            self._tokens[start] = tokens[0]
            self._positions[start] = position
            self._outputs[start] = output
        else:
            self._tokens[start:end] = tokens
            self._positions[start:end] = range(position, position + end - start)
            self._outputs[start:end] = bytes(end - start)
            self._outputs[end - 1] = output
        if self.n_slots > 1:
            self._sequences[start:end] = [self._slots[slot]] * (end - start)
        self._filled = end
        return end - 1

    def add_guessed(self, slot: int, tokens: list[int], position: int) -> int:
        """As `add`, with the logits of each token wanted. Returns the batch index of the first one."""
        end = self.add(slot, tokens, position, output=True) + 1
        self._outputs[end - len(tokens) : end] = bytes([1] * len(tokens))
        return end - len(tokens)

    def pad(self, count: int) -> None:
        """Fill the batch up to `count` tokens with some that are nobody's, in the spare sequence; they are forgotten as
        soon as they are decoded. There must be a spare sequence, and room in the batch and the cells."""
        start, self._padded = self._filled, count - self._filled
        self._tokens[start:count] = bytes(self._padded)
        self._positions[start:count] = range(self._padded)
        self._outputs[start:count] = bytes(self._padded)
        self._sequences[start:count] = [self._slots[self.spare]] * self._padded

    def decode(self) -> int:
        """Decode the batch; the GIL is free meanwhile. Returns llama_decode's status."""
        self._batch.n_tokens = self._filled + self._padded
        status = int(api.llama_decode(self.handle, self._batch))
        self.moved = self.moved and status != DECODED
        if self._padded:
            self.remove_from(self.spare, 0)
            end = self._filled + self._padded
            self._sequences[self._filled : end] = [self._slots[0]] * self._padded
            self._padded = 0
        return status

    def sample(self, sampler: int, index: int) -> int:
        """Draw and accept a token from the logits of batch index `index`."""
        return int(api.llama_sampler_sample(sampler, self.handle, index))

    def logits(self, index: int) -> list[float]:
        """The logits of batch index `index`, copied. For comparisons; nothing in the token loop needs them."""
        row = api.llama_get_logits_ith(self.handle, index)
        return list(row[: api.llama_vocab_n_tokens(api.llama_model_get_vocab(self._model.handle))])

    def warm_up(self, token: int) -> int:
        """Decode one token and forget it, so that weights are read and buffers exist. Returns the status."""
        api.llama_set_warmup(self.handle, True)
        self.clear_batch()
        self.add(0, [token], 0, output=True)
        status = self.decode()
        api.llama_synchronize(self.handle)
        api.llama_memory_clear(self.memory, True)
        api.llama_set_warmup(self.handle, False)
        return status

    # --- memory -------------------------------------------------------------------------------------------------------

    def remove_from(self, slot: int, position: int) -> bool:
        """Drop what a sequence holds from `position` on; 0 empties it. False where the memory cannot forget a part."""
        return bool(api.llama_memory_seq_rm(self.memory, slot, position, -1))

    def close_gap(self, slot: int, start: int, end: int) -> bool:
        """Drop positions `start`..`end` of a sequence and move up what follows. Cells that are shared move for all."""
        if not api.llama_memory_seq_rm(self.memory, slot, start, end):
            return False
        api.llama_memory_seq_add(self.memory, slot, end, -1, start - end)
        self.moved = True
        return True

    def copy(self, source: int, target: int) -> None:
        """Let an empty sequence hold all that another one holds, in the same cells."""
        api.llama_memory_seq_cp(self.memory, source, target, 0, -1)
        if self._model.n_swa:
            # Cells of a sliding window that two sequences share would never be given up for newer ones.
            self.set_state(target, self.state(source))

    @property
    def can_shift(self) -> bool:
        """Whether positions can be changed."""
        return bool(api.llama_memory_can_shift(self.memory))

    def state(self, slot: int) -> Any:
        """What of a sequence cannot be cut: the recurrent state, the sliding window; all of it where all can be cut."""
        size = int(api.llama_state_seq_get_size_ext(self.handle, slot, _PARTIAL))
        data = (ctypes.c_uint8 * size)()
        written = int(api.llama_state_seq_get_data_ext(self.handle, data, size, slot, _PARTIAL))
        return data if written == size else (ctypes.c_uint8 * 0)()

    def set_state(self, slot: int, data: Any) -> bool:
        """Put back what `state` gave. False where that did not work; the sequence is then to be emptied."""
        return bool(len(data) and api.llama_state_seq_set_data_ext(self.handle, data, len(data), slot, _PARTIAL))

    def first_position(self, slot: int) -> int:
        """The lowest position held, -1 for none. Above 0 once a sliding window has moved on."""
        return int(api.llama_memory_seq_pos_min(self.memory, slot))

    def last_position(self, slot: int) -> int:
        """The highest position held, -1 for none."""
        return int(api.llama_memory_seq_pos_max(self.memory, slot))


def _cache_type(name: str) -> int:
    if name not in _CACHE_TYPES:
        raise ValueError(f"unknown KV cache type {name!r}")
    return _CACHE_TYPES[name]
