"""From a path to something that can write: check, load, context, warm-up, and what went wrong as a protocol code."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from app.engine import gguf
from app.engine.errors import (
    Cancelled,
    DeviceFailed,
    EngineError,
    LoadFailed,
    NotAChatModel,
    OutOfMemory,
    UnknownArchitecture,
)
from app.engine.gguf_header import Header
from app.engine.hardware import DeviceShare
from app.engine.shape import ModelShape, shape_of
from app.engine.values import Adapter, LoadedModel, LoadOptions
from app.engine.worker import devices
from app.engine.worker.adapters import Adapters
from app.engine.worker.context import (
    ABORTED,
    ALLOCATION_FAILED,
    COMPUTE_FAILED,
    Abort,
    Context,
    ContextError,
)
from app.engine.worker.cores import physical_cores
from app.engine.worker.llama import log
from app.engine.worker.model import LoadError, Model, probe
from app.engine.worker.placement import Placement, counted
from app.engine.worker.prompts import PromptBuilder
from app.engine.worker.reported import listening, n_gpu_layers, reported_shares
from app.engine.worker.sequences import Sequences
from app.engine.worker.slots import Overlay
from app.engine.worker.templates import ChatTemplate
from app.engine.worker.vocabulary import Vocabulary
from app.engine.worker.warming import in_main_memory, warm

_NOT_STARTED = re.compile(r"failed to initialize (\S+) backend")  # llama-context.cpp, of a device


def check(path: Path, *, thoroughly: bool) -> Sequence[Header]:
    """Refuse a file that cannot become a model, before the one that is loaded goes; its headers. Raises EngineError.

    First our own reader, then, `thoroughly`, a dry run of llama.cpp's loader: some 0.1 s that save the loaded model.
    """
    with told(path):
        headers = (gguf.check_loadable(path), *gguf.read_others(path))
        if thoroughly:
            probe(path)
    return headers


def layers_ahead(headers: Sequence[Header]) -> int:
    """How many layers of a model are there for guessing ahead only; they are not loaded."""
    return max(headers[0].number("{arch}.nextn_predict_layers"), 0)


def reach(endpoints: Sequence[str]) -> None:
    """Make the devices of other computers known. Raises EngineError."""
    try:
        devices.add(endpoints)
    except LookupError as error:
        raise DeviceFailed(str(error)) from error


def check_devices(path: Path, options: LoadOptions) -> None:
    """Refuse options that name what is not there, before the model that is loaded goes. Raises EngineError."""
    reach(options.rpc)
    with told(path):
        Placement(options)


class Loaded:
    """A model ready to write, with all that belongs to it. `close` frees it."""

    def __init__(
        self,
        path: Path,
        options: LoadOptions,
        abort: Abort,
        on_progress: Callable[[int, int], bool],
        headers: Sequence[Header],
    ) -> None:
        """`on_progress` gets bytes done and in all, and returns False to stop; `headers` are those of the file's parts.

        Raises EngineError.
        """
        begun = time.perf_counter()
        self.options = options
        total = sum(header.file_size_bytes for header in headers)
        read = _warm(path, options, headers, lambda done: on_progress(done, total)) if options.mapped else 0
        self.context: Context | None = None
        ahead = layers_ahead(headers)
        with listening() as report:
            with told(path):
                self.model = Model(
                    path, counted(options, ahead), lambda done: on_progress(max(read, round(done * total)), total)
                )
            self.adapters = Adapters(self.model, headers)
            try:
                self._make_ready(options, abort, lambda: on_progress(total, total))
            except BaseException:
                self.close()
                raise
        report.leave_out(ahead)
        shares = reported_shares(report, _shape(headers), headers, options.rpc)
        self.info = self._describe(shares, time.perf_counter() - begun)
        # The arithmetic of attention to one cell beside that of a whole token; 0 where llama.cpp has no tiles for it.
        # It has them on the processor, with the flash attention that it chooses there, for caches of plain numbers.
        in_tiles = not self.info.n_gpu_layers and options.type_k == options.type_v in ("f16", "f32")
        self.attention = self.model.n_layer * self.model.n_embd / max(self.model.n_params, 1) if in_tiles else 0.0

    def _make_ready(self, options: LoadOptions, abort: Abort, goes_on: Callable[[], bool]) -> None:
        self.vocabulary = vocabulary = Vocabulary(self.model)
        if not self.model.can_chat or vocabulary.is_empty:
            raise NotAChatModel("other")
        with told(self.model.path):
            self.context = context = Context(self.model, options, options.n_threads or physical_cores(), abort)
        if not context.has_memory:
            raise NotAChatModel("embedding")
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
        # What of the weights has not been touched yet is touched now, and not within the first reply.
        status = context.warm_up(max(vocabulary.bos, 0))
        if status == ABORTED or not goes_on():
            raise Cancelled
        if status != 0:
            raise decode_failure(self.model, status, LoadFailed)

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

    def _describe(self, shares: tuple[DeviceShare, ...], load_s: float) -> LoadedModel:
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
            n_gpu_layers=n_gpu_layers(shares),
            n_threads=context.n_threads,
            tokenizer=self.vocabulary.hash,
            has_template=bool(model.chat_template),
            can_think=self.template.can_think,
            load_s=load_s,
            n_cells=context.n_cells,
            n_seq_max=context.n_slots,
            can_shift=self.sequences.can_shift,
            shares=shares,
            mapped=self.options.mapped and not self.options.use_mlock,
        )


def decode_failure(model: Model, status: int, otherwise: type[EngineError]) -> EngineError:
    """The error for what llama_decode returned; `otherwise` where that tells nothing of its reason."""
    if status == COMPUTE_FAILED and model.devices:
        return DeviceFailed(", ".join(model.devices))
    error = OutOfMemory if status == ALLOCATION_FAILED else otherwise
    return error(f"llama_decode gave {status}\n{log.errors()}")


@contextlib.contextmanager
def told(path: Path) -> Iterator[None]:
    """What goes wrong within the block, as an EngineError."""
    try:
        yield
    except LoadError as error:
        raise Cancelled if error.cancelled else loading_error(path, error.detail) from error
    except ContextError as error:
        raise loading_error(path, str(error)) from error
    except ValueError as error:
        raise LoadFailed(str(error)) from error


def _warm(path: Path, options: LoadOptions, headers: Sequence[Header], on_bytes: Callable[[int], bool]) -> int:
    """Read what will lie in main memory; how much that is. Raises EngineError where it was cancelled."""
    shape = _shape(headers)
    if shape is None:
        return 0
    layers = Placement(options).n_gpu_layers
    files = [
        (part, in_main_memory(header, shape.n_layer, layers, options))
        for part, header in zip(gguf.parts_of(path), headers, strict=False)
    ]
    if not warm(files, on_bytes):
        raise Cancelled
    return sum(end - begin for _, ranges in files for begin, end in ranges)


def _shape(headers: Sequence[Header]) -> ModelShape | None:
    try:
        return shape_of(*headers)
    except EngineError:
        return None


def loading_error(path: Path, log: str) -> EngineError:
    """What llama.cpp wrote when it returned nothing, as a code; its log is the only place that tells why."""
    text = log.lower()
    if "unknown model architecture" in text:
        return UnknownArchitecture(gguf.check_loadable(path).architecture)
    if found := _NOT_STARTED.search(log):
        return DeviceFailed(found[1])
    if "alloc" in text or "out of memory" in text:
        return OutOfMemory(log)
    return LoadFailed(log)
