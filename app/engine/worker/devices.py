"""The compute devices of ggml's registry: those of this computer, and those of others once their endpoint was added.

Devices of other computers are talked to only while they are wanted: asking one for its memory means a connection.
`held` endpoints are those that a loaded model uses; libggml has a connection to them.
"""

from __future__ import annotations

import ctypes
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from app.engine.errors import DeviceFailed, WorkerUnreachable
from app.engine.hardware import Device
from app.engine.worker import rpc
from app.engine.worker.llama import ggml, text

CPU = "CPU"
RPC = "RPC"
LAYERS_GO_TO = ("gpu", "igpu")
_KINDS = {0: "cpu", 1: "gpu", 2: "igpu", 3: "accel"}  # ggml_backend_dev_type of ggml-backend.h
_CPU_KIND = 0

_size, _string, _pointer = ctypes.c_size_t, ctypes.c_char_p, ctypes.c_void_p


class _Properties(ctypes.Structure):
    """ggml_backend_dev_props of ggml-backend.h; what follows these fields is room for capabilities."""

    _fields_ = (
        ("name", _string),
        ("description", _string),
        ("memory_free", _size),
        ("memory_total", _size),
        ("type", ctypes.c_int),
        ("device_id", _string),
        ("capabilities", ctypes.c_bool * 32),
    )


@dataclass(frozen=True)
class Handle:
    """A device as libggml knows it. `endpoint` is empty for one of this computer."""

    pointer: int
    name: str
    kind: str
    backend: str
    endpoint: str

    @property
    def takes_layers(self) -> bool:
        """Whether layers can be put there."""
        return self.kind in LAYERS_GO_TO


held: Counter[str] = Counter()
_added: set[str] = set()


def add(endpoints: Sequence[str]) -> None:
    """Make the devices of other computers known. Raises WorkerUnreachable for the first one that does not answer."""
    for endpoint in endpoints:
        rpc.address(endpoint)
    met = [endpoint for endpoint in dict.fromkeys(endpoints) if not held[endpoint]]
    rpc.greet(met)
    for endpoint in met:
        if endpoint not in _added:
            registry = _of_backend(RPC, "ggml_backend_rpc_add_server", _pointer, _string)(endpoint.encode())
            if not registry:
                raise WorkerUnreachable(endpoint)
            need("ggml_backend_register", None, _pointer)(registry)
            _added.add(endpoint)


def handles(endpoints: Sequence[str] = ()) -> list[Handle]:
    """The devices of this computer, and of those computers that are named and were added; no card twice."""
    found = [handle for handle in map(_handle, _pointers()) if not handle.endpoint or handle.endpoint in endpoints]
    here = [handle for handle in found if handle.takes_layers and not handle.endpoint]
    if len({handle.backend for handle in here}) < 2:
        return found  # nobody is asked for more than a name: that alone would wake some drivers up
    cards = [_card(handle) for handle in here]
    again = [handle for at, handle in enumerate(here) if cards[at] and cards[at] in cards[:at]]
    return [handle for handle in found if handle not in again]


def usual(found: Sequence[Handle]) -> list[Handle]:
    """Where layers go unless said, as llama.cpp has it: other computers, then cards, or else what is built in."""
    remote = [handle for handle in found if handle.backend == RPC]
    cards = [handle for handle in found if handle.kind == "gpu" and handle.backend != RPC]
    return [*remote, *(cards or [handle for handle in found if handle.kind == "igpu"])]


def named(name: str) -> Handle:
    """The device of this computer with this name. Raises DeviceFailed."""
    for handle in handles():
        if handle.name == name:
            return handle
    raise DeviceFailed(name)


def devices(endpoints: Sequence[str] = ()) -> list[Device]:
    """The devices that `handles` finds, with their memory in bytes as the backend reports it."""
    memory = need("ggml_backend_dev_memory", None, _pointer, ctypes.POINTER(_size), ctypes.POINTER(_size))
    described = need("ggml_backend_dev_description", _string, _pointer)
    found = []
    for handle in handles(endpoints):
        free, total = _size(), _size()
        memory(handle.pointer, ctypes.byref(free), ctypes.byref(total))
        found.append(
            Device(
                name=handle.name,
                description=text(described(handle.pointer)),
                kind=handle.kind,
                memory_free_bytes=free.value,
                memory_total_bytes=total.value,
                backend=handle.backend,
                host=handle.endpoint.rpartition(":")[0],
            )
        )
    return found


def buffer_names(endpoints: Sequence[str] = ()) -> dict[str, str]:
    """The names of the buffers that lie on devices which take layers, and the device of each."""
    buffers = need("ggml_backend_dev_buffer_type", _pointer, _pointer)
    named = need("ggml_backend_buft_name", _string, _pointer)
    found = {}
    for handle in handles(endpoints):
        if handle.takes_layers:
            found[handle.name] = found[text(named(buffers(handle.pointer)))] = handle.name
    return found


def cpu_buffers() -> int:
    """The buffer type of main memory."""
    cpu = need("ggml_backend_dev_by_type", _pointer, ctypes.c_int)(_CPU_KIND)
    return int(need("ggml_backend_dev_buffer_type", _pointer, _pointer)(cpu))


def serve(endpoint: str, threads: int, names: Sequence[str] = ()) -> None:
    """Be the RPC server of these devices at HOST:PORT, or of the cards here, or of the processor where there is none.

    Returns only when that did not work.
    """
    found = handles()
    offered = [handle for handle in found if handle.name in names] if names else usual(found)
    if not names and not offered:
        offered = [handle for handle in found if handle.kind == "cpu"]
    pointers = (_pointer * len(offered))(*(handle.pointer for handle in offered))
    start = _of_backend(RPC, "ggml_backend_rpc_start_server", None, _string, _string, _size, _size, _pointer)
    start(endpoint.encode(), None, threads, len(offered), ctypes.cast(pointers, _pointer))


def _handle(pointer: int) -> Handle:
    kind = _KINDS.get(need("ggml_backend_dev_type", ctypes.c_int, _pointer)(pointer), "accel")
    registry = need("ggml_backend_dev_backend_reg", _pointer, _pointer)(pointer)
    backend = text(need("ggml_backend_reg_name", _string, _pointer)(registry))
    name = text(need("ggml_backend_dev_name", _string, _pointer)(pointer))
    # Of a device elsewhere the description is where it is.
    endpoint = text(need("ggml_backend_dev_description", _string, _pointer)(pointer)) if backend == RPC else ""
    return Handle(pointer, name, kind, backend, endpoint)


def _card(handle: Handle) -> str:
    """What tells a card whichever driver reaches it; empty where that is not known."""
    properties = _Properties()
    ask = need("ggml_backend_dev_get_props", None, _pointer, ctypes.POINTER(_Properties))
    ask(handle.pointer, ctypes.byref(properties))
    return text(properties.device_id)


def _pointers() -> Iterator[int]:
    get = need("ggml_backend_dev_get", _pointer, _size)
    for index in range(need("ggml_backend_dev_count", _size)()):
        yield get(index)


def _of_backend(backend: str, name: str, restype: Any, *argtypes: Any) -> Callable[..., Any]:
    """A function that only the registry knows, as its backend may be a library loaded later. Raises LookupError."""
    registry = need("ggml_backend_reg_by_name", _pointer, _string)(backend.encode())
    address = (
        need("ggml_backend_reg_get_proc_address", _pointer, _pointer, _string)(registry, name.encode())
        if registry
        else None
    )
    if not address:
        raise LookupError(f"this build has no {backend}")
    return ctypes.CFUNCTYPE(restype, *argtypes)(address)


def need(name: str, restype: Any, *argtypes: Any) -> Callable[..., Any]:
    """A function of libggml. Raises LookupError."""
    function = ggml(name, restype, *argtypes)
    if function is None:
        raise LookupError(f"{name} is missing in this libggml")
    return function
