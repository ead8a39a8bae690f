"""The LoRA adapters that lie over a model: brought into memory when a reply first wants them, and laid on per batch.

llama.cpp computes all sequences of a batch with the same adapters, so who decodes says which before each batch. What
was read with some is of no use with others: `Overlay` (slots.py) is their identity. All is the llama.cpp thread's.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from app.engine.adapters import check_fits, fingerprint, read_adapter
from app.engine.errors import AdapterMisfit, EngineError
from app.engine.gguf_header import Header
from app.engine.protocol import Code
from app.engine.values import Adapter
from app.engine.worker.context import Context
from app.engine.worker.llama import api, log
from app.engine.worker.model import Model
from app.engine.worker.slots import Overlay


class Adapters:
    """Those of one model. They go with it."""

    def __init__(self, model: Model, headers: Sequence[Header]) -> None:
        """`headers`: those of the model's files."""
        self._model = model
        self._headers = headers
        self._fingerprints: dict[tuple[str, int, int], str] = {}
        self._handles: dict[str, Any] = {}
        self._laid: Overlay = ()

    def overlay(self, wanted: tuple[Adapter, ...]) -> Overlay:
        """What identifies them together; those with a scale of 0 change nothing. Raises EngineError."""
        scales: dict[str, float] = {}
        for adapter in wanted:
            if adapter.scale != 0:
                name = self._fingerprint(Path(adapter.path))
                scales[name] = scales.get(name, 0.0) + adapter.scale
        return tuple(sorted(scales.items()))

    def bring(self, wanted: tuple[Adapter, ...], in_use: Collection[Overlay], context: Context) -> Overlay:
        """Have them in memory; what none of the overlays in use needs may leave. Raises EngineError."""
        overlay = self.overlay(wanted)
        for adapter in wanted:
            path = Path(adapter.path)
            if adapter.scale != 0 and (name := self._fingerprint(path)) not in self._handles:
                self._let_go([overlay, *in_use], context)
                self._handles[name] = self._load(path)
        return overlay

    def lay(self, overlay: Overlay, context: Context) -> None:
        """The next batch is decoded with exactly these, which were brought before."""
        if overlay == self._laid:
            return
        self._laid = overlay
        size = len(overlay)
        handles = (api.llama_adapter_lora_p_ctypes * size)(*(self._handles[name] for name, _ in overlay))
        scales = (ctypes.c_float * size)(*(scale for _, scale in overlay))
        api.llama_set_adapters_lora(context.handle, handles, size, scales)

    def _fingerprint(self, path: Path) -> str:
        try:
            status = path.stat()
            key = str(path), status.st_size, status.st_mtime_ns
        except (OSError, ValueError):
            key = str(path), 0, 0  # reading it tells what is wrong
        if key not in self._fingerprints:
            self._fingerprints[key] = fingerprint(path)
        return self._fingerprints[key]

    def _load(self, path: Path) -> Any:
        check_fits(path, read_adapter(path), self._headers)
        log.clear()
        handle = api.llama_adapter_lora_init(self._model.handle, os.fsencode(path))
        if not handle:
            said = log.errors()
            if "alloc" in said.lower():
                raise EngineError(said, code=Code.OUT_OF_MEMORY)
            raise AdapterMisfit(f"{AdapterMisfit.REFUSED}\n{path.name}\n{said}")
        return handle

    def _let_go(self, needed: Collection[Overlay], context: Context) -> None:
        wanted = {name for overlay in needed for name, _ in overlay}
        for name in [one for one in self._handles if one not in wanted]:
            self.lay((), context)
            api.llama_adapter_lora_free(self._handles.pop(name))
