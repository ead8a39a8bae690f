"""From a path to something that can write: check, load, context, warm-up, and what went wrong as a protocol code."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from app.engine import gguf
from app.engine.errors import EngineError
from app.engine.protocol import Code
from app.engine.values import Adapter, LoadedModel, LoadOptions
from app.engine.worker.adapters import Adapters
from app.engine.worker.context import ABORTED, Abort, Context, ContextError
from app.engine.worker.cores import physical_cores
from app.engine.worker.llama import LoadError, Model, probe
from app.engine.worker.prompts import PromptBuilder
from app.engine.worker.sequences import Overlay, Sequences
from app.engine.worker.templates import ChatTemplate
from app.engine.worker.vocabulary import Vocabulary


class LoadingError(Exception):
    """Loading ended without a model; `code` is one of protocol.Code."""

    def __init__(self, code: str, detail: str = "", numbers: dict[str, int] | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.numbers = numbers or {}


def check(path: Path, *, thoroughly: bool) -> None:
    """Refuse a file that cannot become a model, before the one that is loaded goes. Raises LoadingError.

    First our own reader, then, `thoroughly`, a dry run of llama.cpp's loader: some 0.1 s that save the loaded model.
    """
    try:
        gguf.check_loadable(path)
        if thoroughly:
            probe(path)
    except EngineError as error:
        raise LoadingError(error.code, error.detail, error.numbers) from error
    except LoadError as error:
        raise loading_error(path, error.detail) from error


class Loaded:
    """A model ready to write, with all that belongs to it. `close` frees it."""

    def __init__(self, path: Path, options: LoadOptions, abort: Abort, on_progress: Callable[[float], bool]) -> None:
        """`on_progress` gets 0..1 and returns False to stop. Raises LoadingError."""
        begun = time.perf_counter()
        self.options = options
        try:
            self.model = Model(path, options, on_progress)
        except LoadError as error:
            raise LoadingError(Code.CANCELLED) if error.cancelled else loading_error(path, error.detail) from error
        self.context: Context | None = None
        self.adapters = Adapters(self.model)
        try:
            self._make_ready(options, abort, on_progress)
        except BaseException:
            self.close()
            raise
        self.info = self._describe(time.perf_counter() - begun)

    def _make_ready(self, options: LoadOptions, abort: Abort, on_progress: Callable[[float], bool]) -> None:
        self.vocabulary = vocabulary = Vocabulary(self.model)
        if not self.model.can_chat or vocabulary.is_empty:
            raise LoadingError(Code.NOT_A_CHAT_MODEL, "other")
        try:
            self.context = context = Context(self.model, options, options.n_threads or physical_cores(), abort)
        except ContextError as error:
            raise loading_error(self.model.path, str(error)) from error
        except ValueError as error:
            raise LoadingError(Code.LOAD_FAILED, str(error)) from error
        if not context.has_memory:
            raise LoadingError(Code.NOT_A_CHAT_MODEL, "embedding")
        self.sequences = Sequences(
            context,
            context.n_slots,
            n_swa=self.model.n_swa,
            whole_only=self.model.is_recurrent,
            can_shift=context.can_shift,
            n_cells=context.n_cells,
        )
        self.template = ChatTemplate(
            self.model.chat_template,
            bos=vocabulary.special_text(vocabulary.bos),
            eos=vocabulary.special_text(vocabulary.eos),
            has_tokens=vocabulary.has,
        )
        self.prompts = PromptBuilder(vocabulary, self.template)
        # Weights that are only mapped are read now, while progress is shown, and not within the first reply.
        status = context.warm_up(max(vocabulary.bos, 0))
        if status == ABORTED or not on_progress(1.0):
            raise LoadingError(Code.CANCELLED)
        if status != 0:
            raise LoadingError(Code.LOAD_FAILED, f"the first decode gave {status}")

    def bring(self, adapters: tuple[Adapter, ...]) -> Overlay:
        """Have adapters ready to be laid over the model for a conversation. Raises EngineError."""
        assert self.context is not None
        return self.adapters.bring(adapters, [slot.overlay for slot in self.sequences.slots], self.context)

    def decode(self, overlay: Overlay) -> int:
        """Decode the batch, all of it with the same adapters. Returns llama_decode's status."""
        assert self.context is not None
        self.adapters.lay(overlay, self.context)
        return self.context.decode()

    def close(self) -> None:
        """Free context and model."""
        if self.context is not None:
            self.context.close()
        self.model.close()

    def _describe(self, load_s: float) -> LoadedModel:
        model, context = self.model, self.context
        assert context is not None
        return LoadedModel(
            path=str(model.path),
            name=model.metadata("general.name") or model.path.stem,
            architecture=model.metadata("general.architecture"),
            description=model.description,
            size_bytes=model.size_bytes,
            n_params=model.n_params,
            n_ctx=context.n_ctx,
            n_ctx_train=model.n_ctx_train,
            n_vocab=self.vocabulary.n_tokens,
            n_layer=model.n_layer,
            n_gpu_layers=model.offloaded_layers,
            n_threads=context.n_threads,
            tokenizer=self.vocabulary.hash,
            has_template=bool(model.chat_template),
            can_think=self.template.can_think,
            load_s=load_s,
            n_cells=context.n_cells,
            n_seq_max=context.n_slots,
            can_shift=self.sequences.can_shift,
        )


def loading_error(path: Path, log: str) -> LoadingError:
    """What llama.cpp wrote when it returned nothing, as a code; its log is the only place that tells why."""
    text = log.lower()
    if "unknown model architecture" in text:
        return LoadingError(Code.UNKNOWN_ARCHITECTURE, gguf.check_loadable(path).architecture)
    if "alloc" in text or "out of memory" in text:
        return LoadingError(Code.OUT_OF_MEMORY, log)
    return LoadingError(Code.LOAD_FAILED, log)
