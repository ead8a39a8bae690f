"""The door to llama.cpp: the only file that imports llama_cpp. Bindings, functions of libggml, log, versions.

`api` is the bindings module itself, which model.py, context.py and others call. Nothing here knows of chats or frames.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import importlib.metadata
import importlib.util
import os
import sys
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

# ggml_log_level of ggml.h
_LEVELS = {1: "debug", 2: "info", 3: "warning", 4: "error"}
_INFO, _WARNING, _ERROR, _CONTINUED = 2, 3, 4, 5


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
    """llama.cpp's log: passed on to stderr, with the last errors kept.

    llama.cpp reports a failure as NULL and its reason in the log only, so the reason has to be remembered here.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._errors: deque[str] = deque(maxlen=12)
        self._level = _INFO
        self.listener: Callable[[str], None] | None = None  # hears every line, those for debugging too
        self._callback = api.llama_log_callback(self._write)  # kept: the native side holds only a pointer

    def install(self) -> None:
        """Take over the log of llama.cpp and ggml."""
        api.llama_log_set(self._callback, None)

    def clear(self) -> None:
        """Forget what was remembered, before an action whose failure is to be explained."""
        with self._lock:
            self._errors.clear()

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
        sys.stderr.write(f"llama.cpp {_LEVELS.get(self._level, 'info')}: {line}\n")
        sys.stderr.flush()


log = NativeLog()


def ggml(name: str, restype: Any, *argtypes: Any) -> Callable[..., Any] | None:
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


@functools.cache
def start_backends() -> None:
    """Take over the log and bring up the backends, compiled in or as libraries beside libllama; once, however often it
    is called."""
    log.install()
    load_all = ggml("ggml_backend_load_all_from_path", None, ctypes.c_char_p)
    if load_all is not None:
        load_all(os.fsencode(Path(api._lib._name).parent))
    api.llama_backend_init()


def package_version() -> str:
    """The version of llama-cpp-python; 'unknown' in a build that carries no package metadata."""
    try:
        return importlib.metadata.version("llama-cpp-python")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def build() -> str:
    """llama.cpp's own version and ggml's, with the commit where it is known."""
    parts = [f"llama.cpp {text(api.llama_version())}"]
    version, commit = ggml("ggml_version", ctypes.c_char_p), ggml("ggml_commit", ctypes.c_char_p)
    if version is not None:
        parts.append(f"ggml {text(version())}")
    if commit is not None:
        parts.append(f"commit {text(commit())}")
    return ", ".join(parts)


def system_info() -> str:
    """The CPU features and build switches that llama.cpp prints."""
    return text(api.llama_print_system_info())


def text(value: bytes | None) -> str:
    """A C string as text; empty for NULL."""
    return value.decode("utf-8", "replace") if value else ""
