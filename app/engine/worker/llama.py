"""The door to llama.cpp: the only file that imports llama_cpp. Bindings, log, devices, versions, loading a model.

`api` is the bindings module itself; vocabulary.py, context.py and sampling.py call it with the handles made here.
Nothing here knows of chats or of frames.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.metadata
import importlib.util
import os
import re
import sys
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.engine.hardware import Device
from app.engine.values import LoadOptions

# ggml_log_level of ggml.h
_LEVELS = {1: "debug", 2: "info", 3: "warning", 4: "error"}
_INFO, _WARNING, _ERROR, _CONTINUED = 2, 3, 4, 5
# ggml_backend_dev_type of ggml-backend.h
_DEVICE_KINDS = {0: "cpu", 1: "gpu", 2: "igpu", 3: "accel"}
_LOAD_PLAIN, _LOAD_MLOCK, _LOAD_MMAP_MLOCK = 0, 2, 3


def _bindings() -> Any:
    """The module llama_cpp.llama_cpp, without running the package's `__init__`.

    That one imports the high-level classes and with them numpy, a disk cache and a template engine: 0.3 s and 25 MB in
    every worker. A later plain `import llama_cpp` elsewhere in the process still works.
    """
    if "llama_cpp" in sys.modules:
        return importlib.import_module("llama_cpp.llama_cpp")
    spec = importlib.util.find_spec("llama_cpp")
    if spec is None:
        raise ImportError("llama_cpp is not installed")
    sys.modules["llama_cpp"] = importlib.util.module_from_spec(spec)
    try:
        return importlib.import_module("llama_cpp.llama_cpp")
    finally:
        del sys.modules["llama_cpp"]


api: Any = _bindings()


class NativeLog:
    """llama.cpp's log: passed on to stderr, with the last errors and what the loader said of offloading kept.

    llama.cpp reports a failure as NULL and its reason in the log only, so the reason has to be remembered here.
    """

    _OFFLOADED = re.compile(r"offloaded (\d+)/\d+ layers")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._errors: deque[str] = deque(maxlen=12)
        self._level = _INFO
        self.offloaded_layers = 0
        self.listener: Callable[[str], None] | None = None  # hears every line, those for debugging too
        self._callback = api.llama_log_callback(self._write)  # kept: the native side holds only a pointer

    def install(self) -> None:
        """Take over the log of llama.cpp and ggml."""
        api.llama_log_set(self._callback, None)

    def clear(self) -> None:
        """Forget what was remembered, before an action whose failure is to be explained."""
        with self._lock:
            self._errors.clear()
            self.offloaded_layers = 0

    def errors(self) -> str:
        """The last error and warning lines, oldest first; empty when there were none."""
        with self._lock:
            return "\n".join(self._errors)

    def _write(self, level: int, text: bytes, _data: object) -> None:
        line = text.decode("utf-8", "replace").rstrip()
        if level != _CONTINUED:
            self._level = level
        if self.listener is not None:
            self.listener(line)
        if not line.strip(". ") or self._level < _INFO:
            return
        with self._lock:
            if self._level >= _WARNING:
                self._errors.append(line)
            if found := self._OFFLOADED.search(line):
                self.offloaded_layers = int(found[1])
        sys.stderr.write(f"llama.cpp {_LEVELS.get(self._level, 'info')}: {line}\n")
        sys.stderr.flush()


log = NativeLog()


def _ggml(name: str, restype: Any, *argtypes: Any) -> Callable[..., Any] | None:
    """A ggml function out of the copy that libllama itself is linked to, or None where it is not exported.

    Wheels hold libggml under three names as three files; opening one by name can give a second, unconnected device
    registry. Looking the symbol up through libllama's own handle searches the libraries that it loaded. Windows looks
    into the one library only, but loads each library name once, so there the name is right.
    """
    libraries = [api._lib]
    if os.name == "nt":
        folder = Path(api._lib._name).parent
        libraries = [
            ctypes.CDLL(str(folder / file)) for file in ("ggml.dll", "ggml-base.dll") if (folder / file).exists()
        ]
    for library in libraries:
        function = getattr(library, name, None)
        if function is not None:
            function.restype = restype
            function.argtypes = argtypes
            return function  # type: ignore[no-any-return] # ctypes gives Any
    return None


def start_backends() -> None:
    """Take over the log and bring up the backends, compiled in or as libraries beside libllama. Call once."""
    log.install()
    load_all = _ggml("ggml_backend_load_all_from_path", None, ctypes.c_char_p)
    if load_all is not None:
        load_all(os.fsencode(Path(api._lib._name).parent))
    api.llama_backend_init()


def devices() -> list[Device]:
    """The compute devices in ggml's registry; memory in bytes as the backend reports it."""
    count = _ggml("ggml_backend_dev_count", ctypes.c_size_t)
    get = _ggml("ggml_backend_dev_get", ctypes.c_void_p, ctypes.c_size_t)
    name = _ggml("ggml_backend_dev_name", ctypes.c_char_p, ctypes.c_void_p)
    description = _ggml("ggml_backend_dev_description", ctypes.c_char_p, ctypes.c_void_p)
    kind = _ggml("ggml_backend_dev_type", ctypes.c_int, ctypes.c_void_p)
    size_p = ctypes.POINTER(ctypes.c_size_t)
    memory = _ggml("ggml_backend_dev_memory", None, ctypes.c_void_p, size_p, size_p)
    if not (count and get and name and description and kind and memory):
        return []
    found = []
    for index in range(count()):
        device = get(index)
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        memory(device, ctypes.byref(free), ctypes.byref(total))
        found.append(
            Device(
                name=_text(name(device)),
                description=_text(description(device)),
                kind=_DEVICE_KINDS.get(kind(device), "accel"),
                memory_free_bytes=free.value,
                memory_total_bytes=total.value,
            )
        )
    return found


def package_version() -> str:
    """The version of llama-cpp-python; 'unknown' in a build that carries no package metadata."""
    try:
        return importlib.metadata.version("llama-cpp-python")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def build() -> str:
    """llama.cpp's own version and ggml's, with the commit where it is known."""
    parts = [f"llama.cpp {_text(api.llama_version())}"]
    version, commit = _ggml("ggml_version", ctypes.c_char_p), _ggml("ggml_commit", ctypes.c_char_p)
    if version is not None:
        parts.append(f"ggml {_text(version())}")
    if commit is not None:
        parts.append(f"commit {_text(commit())}")
    return ", ".join(parts)


def system_info() -> str:
    """The CPU features and build switches that llama.cpp prints."""
    return _text(api.llama_print_system_info())


def supports_gpu_offload() -> bool:
    """Whether there is a device that can take layers. llama.cpp's own answer is yes if only it was built for some."""
    return any(device.kind in ("gpu", "igpu") for device in devices())


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
    params.n_gpu_layers = 0
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
        """Load `path`. `on_progress` gets 0..1 and returns False to stop. Raises LoadError.

        `weightless`: neither reads the weights nor takes memory for them, nor for what contexts of it would hold, but
        for recurrent states.
        """
        params = api.llama_model_default_params()
        params.n_gpu_layers = options.n_gpu_layers
        if weightless:
            params.no_alloc, params.load_mode = True, _LOAD_PLAIN
        elif options.use_mlock:
            params.load_mode = _LOAD_MMAP_MLOCK if options.use_mmap else _LOAD_MLOCK
        elif not options.use_mmap:
            params.load_mode = _LOAD_PLAIN
        cancelled = False

        def progress(fraction: float, _data: object) -> bool:
            nonlocal cancelled
            cancelled = not on_progress(fraction)
            return not cancelled

        params.progress_callback = callback = api.llama_progress_callback(progress)
        log.clear()
        self.handle = api.llama_model_load_from_file(os.fsencode(path), params)
        del callback
        if not self.handle:
            raise LoadError(log.errors(), cancelled=cancelled)
        self.path = path
        # The loader says 'offloaded' of the CPU too when it was built for remote devices and there is none.
        self.offloaded_layers = log.offloaded_layers if supports_gpu_offload() else 0
        self.n_ctx_train = int(api.llama_model_n_ctx_train(self.handle))
        self.n_layer = int(api.llama_model_n_layer(self.handle))
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
        return _text(api.llama_model_chat_template(self.handle, None))


def _text(value: bytes | None) -> str:
    return value.decode("utf-8", "replace") if value else ""
