"""A loaded model: its handle, metadata and shape; and the dry run of a load that only checks a file."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from pathlib import Path

from app.engine.values import LoadOptions
from app.engine.worker import devices
from app.engine.worker.llama import api, log, text
from app.engine.worker.placement import Placement

_LOAD_PLAIN, _LOAD_MLOCK, _LOAD_MMAP_MLOCK = 0, 2, 3  # llama_load_mode of llama.h


class LoadError(Exception):
    """llama.cpp returned no model. `cancelled`: because it was asked to stop; `detail`: the last lines of its log."""

    def __init__(self, detail: str, *, cancelled: bool = False) -> None:
        super().__init__(detail)
        self.detail = detail
        self.cancelled = cancelled


def probe(path: Path) -> None:
    """Go through loading a model without reading its weights or taking memory for them. Raises LoadError."""
    params = api.llama_model_default_params()
    params.no_alloc = True
    params.load_mode = _LOAD_PLAIN
    placement = Placement(LoadOptions(n_gpu_layers=0))
    placement.apply(params)
    log.clear()
    handle = api.llama_model_load_from_file(os.fsencode(path), params)
    if not handle:
        raise LoadError(log.errors())
    api.llama_model_free(handle)


class Model:
    """A loaded model: handle, metadata and shape. `close` frees it; contexts must be closed before."""

    def __init__(
        self, path: Path, options: LoadOptions, on_progress: Callable[[float], bool], *, weightless: bool = False
    ) -> None:
        """Load `path`. `on_progress` gets 0..1 and returns False to stop. The endpoints were added before.

        Raises LoadError; DeviceFailed and ValueError for options that cannot be.

        `weightless`: neither reads the weights nor takes memory for them, nor for what contexts of it would hold, but
        for recurrent states.
        """
        params = api.llama_model_default_params()
        self._placement = Placement(options)  # lives as long as the model, which points into it
        self._placement.apply(params)
        if weightless:
            params.no_alloc, params.load_mode = True, _LOAD_PLAIN
        elif options.use_mlock:
            params.load_mode = _LOAD_MMAP_MLOCK if options.mapped else _LOAD_MLOCK
        elif not options.mapped:
            params.load_mode = _LOAD_PLAIN
        cancelled = False

        def progress(fraction: float, _data: object) -> bool:
            nonlocal cancelled
            cancelled = not on_progress(fraction)
            return not cancelled

        params.progress_callback = callback = api.llama_progress_callback(progress)
        log.clear()
        devices.held.update(self._placement.endpoints)
        self.handle = api.llama_model_load_from_file(os.fsencode(path), params)
        del callback
        if not self.handle:
            devices.held.subtract(self._placement.endpoints)
            raise LoadError(log.errors(), cancelled=cancelled)
        self.path = path
        self.n_ctx_train = int(api.llama_model_n_ctx_train(self.handle))
        self.n_layer = int(api.llama_model_n_layer(self.handle))
        self.n_embd = int(api.llama_model_n_embd(self.handle))
        self.n_swa = int(api.llama_model_n_swa(self.handle))
        self.n_params = int(api.llama_model_n_params(self.handle))
        self.size_bytes = int(api.llama_model_size(self.handle))
        # Neither kind of memory can forget a tail of what it has read.
        self.is_recurrent = bool(api.llama_model_is_recurrent(self.handle) or api.llama_model_is_hybrid(self.handle))
        self.can_chat = bool(
            api.llama_model_has_decoder(self.handle)
            and not api.llama_model_has_encoder(self.handle)
            and not api.llama_model_is_diffusion(self.handle)
        )

    def close(self) -> None:
        """Free the model; a second call does nothing."""
        if self.handle:
            api.llama_model_free(self.handle)
            self.handle = None
            devices.held.subtract(self._placement.endpoints)

    @property
    def devices(self) -> tuple[str, ...]:
        """The devices that have layers, by ggml's names."""
        return tuple(handle.name for handle in self._placement.handles)

    def metadata(self, key: str) -> str:
        """A metadata value as text; empty when the file has none."""
        size = 256
        while True:
            buffer = ctypes.create_string_buffer(size)
            needed = api.llama_model_meta_val_str(self.handle, key.encode(), buffer, size)
            if needed < 0:
                return ""
            if needed < size:
                return buffer.value.decode("utf-8", "replace")
            size = needed + 1

    @property
    def description(self) -> str:
        """llama.cpp's short description, such as 'llama 135M Q4_1'."""
        buffer = ctypes.create_string_buffer(256)
        api.llama_model_desc(self.handle, buffer, len(buffer))
        return buffer.value.decode("utf-8", "replace")

    @property
    def chat_template(self) -> str:
        """The Jinja source in the file, or empty."""
        return text(api.llama_model_chat_template(self.handle, None))
