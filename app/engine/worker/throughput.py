"""How fast a device reads weights and computes: a large matrix on it, times one column and times many, through ggml.

A small model would mostly measure how long a device takes to begin an operation. The matrix is larger than caches are
(300 MB), a quarter of the free memory at most, and is gone afterwards.
"""

from __future__ import annotations

import contextlib
import ctypes
import time
from contextlib import ExitStack

from app.engine.hardware import DeviceSpeed
from app.engine.worker.devices import Handle, need

WIDTH = 8192
MOST_ROWS = 65536
LEAST_ROWS = 8192
COLUMNS = 512
"""As in a batch of a prompt."""

ROWS, SLOW_ROWS = 4096, 1024
"""Of the matrix that is multiplied with many columns, and of that on a device that reads less than SLOW."""

SLOW = 100e9
PART_OF_FREE = 4
RUN_S = 0.03
STOP_S = 1.0
"""A device that takes so long for the first time is not asked again."""

TENSORS, GRAPHS = 64, 4
"""More than are made here."""

CHAIN, QUICK_S = 16, 0.005
"""So many products after another count as one run where a single one is over that soon: else waiting for the device
to say so would count as well."""

_F32, _Q4_0 = 0, 2  # ggml_type of ggml.h
_ROW_BYTES = WIDTH // 32 * 18
_FIXED_BYTES = 4 * COLUMNS * (WIDTH + ROWS + SLOW_ROWS)

_size, _count, _pointer = ctypes.c_size_t, ctypes.c_int64, ctypes.c_void_p


class _Parameters(ctypes.Structure):
    """ggml_init_params of ggml.h."""

    _fields_ = (("size", _size), ("buffer", _pointer), ("no_alloc", ctypes.c_bool))


class _FailedError(Exception):
    """The device has no room, does not know the operation, or did not compute."""


def of(handle: Handle) -> DeviceSpeed:
    """What a device was measured to do; zeros where it cannot be measured."""
    bandwidth = flops = 0.0
    with contextlib.suppress(LookupError, _FailedError), ExitStack() as held:
        bandwidth, flops = _measured(handle, held)
    return DeviceSpeed(
        name=handle.name, bandwidth_bytes_per_s=bandwidth, compute_flops=flops, cache_bytes_per_s=bandwidth
    )


def _measured(handle: Handle, held: ExitStack) -> tuple[float, float]:
    """Bytes and operations in a second. Raises LookupError and _FailedError; what is taken is `held`."""
    rows = _rows(handle)
    products = _Products(handle, held)
    matrix = products.tensor(_Q4_0, WIDTH, rows)
    column = products.tensor(_F32, WIDTH, 1)
    chain: list[int] = []
    for _ in range(CHAIN):
        chain.append(products.product(matrix, column))
        column = products.part(chain[-1], 1, 4 * WIDTH)  # so that each waits for the one before
    batch = products.tensor(_F32, WIDTH, COLUMNS)
    wide = {some: products.product(products.part(matrix, some, _ROW_BYTES), batch) for some in (SLOW_ROWS, ROWS)}
    products.fill()
    seconds = products.seconds(chain[:1])
    if seconds < QUICK_S:
        seconds = min(seconds, products.seconds(chain) / CHAIN)
    bandwidth = rows * _ROW_BYTES / seconds
    some = ROWS if bandwidth >= SLOW else SLOW_ROWS
    return bandwidth, 2 * some * WIDTH * COLUMNS / products.seconds([wide[some]])


def _rows(handle: Handle) -> int:
    """How many rows the matrix may have."""
    free, total = _size(), _size()
    need("ggml_backend_dev_memory", None, _pointer, ctypes.POINTER(_size), ctypes.POINTER(_size))(
        handle.pointer, ctypes.byref(free), ctypes.byref(total)
    )
    if not total.value:  # it does not tell
        return MOST_ROWS
    rows = (free.value // PART_OF_FREE - _FIXED_BYTES) // (_ROW_BYTES + 4 * CHAIN)
    if rows < LEAST_ROWS:
        raise _FailedError
    return min(rows, MOST_ROWS)


class _Products:
    """Matrices on a device, and products of them to compute. All zeros: what they are makes no difference in time."""

    def __init__(self, handle: Handle, held: ExitStack) -> None:
        overhead = need("ggml_tensor_overhead", _size)() * TENSORS + need("ggml_graph_overhead", _size)() * GRAPHS
        free_context, free_backend = need("ggml_free", None, _pointer), need("ggml_backend_free", None, _pointer)
        self._held = held
        self._device = handle.pointer
        self._context = need("ggml_init", _pointer, _Parameters)(_Parameters(size=overhead, no_alloc=True))
        if not self._context:
            raise _FailedError
        held.callback(free_context, self._context)
        self._backend = need("ggml_backend_dev_init", _pointer, _pointer, ctypes.c_char_p)(handle.pointer, None)
        if not self._backend:
            raise _FailedError
        held.callback(free_backend, self._backend)

    def tensor(self, kind: int, width: int, rows: int) -> int:
        """A matrix that has memory once `fill` was called."""
        new = need("ggml_new_tensor_2d", _pointer, _pointer, ctypes.c_int, _count, _count)
        return int(new(self._context, kind, width, rows))

    def part(self, matrix: int, rows: int, row_bytes: int) -> int:
        """The first WIDTH numbers of the first rows of a matrix."""
        view = need("ggml_view_2d", _pointer, _pointer, _pointer, _count, _count, _size, _size)
        return int(view(self._context, matrix, WIDTH, rows, row_bytes, 0))

    def product(self, matrix: int, columns: int) -> int:
        """The product, to be computed."""
        return int(need("ggml_mul_mat", _pointer, _pointer, _pointer, _pointer)(self._context, matrix, columns))

    def fill(self) -> None:
        """Takes the memory for all of them."""
        clear = need("ggml_backend_buffer_clear", None, _pointer, ctypes.c_uint8)
        free = need("ggml_backend_buffer_free", None, _pointer)
        buffer = need("ggml_backend_alloc_ctx_tensors", _pointer, _pointer, _pointer)(self._context, self._backend)
        if not buffer:
            raise _FailedError
        self._held.callback(free, buffer)
        clear(buffer, 0)

    def seconds(self, products: list[int]) -> float:
        """How long they take at best. The first time does not count, as much is prepared then."""
        graph = need("ggml_new_graph", _pointer, _pointer)(self._context)
        supported = need("ggml_backend_dev_supports_op", ctypes.c_bool, _pointer, _pointer)
        for product in products:
            if not supported(self._device, product):
                raise _FailedError
            need("ggml_build_forward_expand", None, _pointer, _pointer)(graph, product)
        best = self._compute(graph, products[-1])
        if best > STOP_S:
            return best
        best = self._compute(graph, products[-1])
        end = time.perf_counter() + RUN_S
        while time.perf_counter() < end:
            best = min(best, self._compute(graph, products[-1]))
        return best

    def _compute(self, graph: int, last: int) -> float:
        compute = need("ggml_backend_graph_compute", ctypes.c_int, _pointer, _pointer)
        get = need("ggml_backend_tensor_get", None, _pointer, _pointer, _size, _size)
        number = ctypes.c_float()
        begin = time.perf_counter()
        if compute(self._backend, graph):
            raise _FailedError
        # Not every backend waits before (RPC does not), but none has a number before it is there.
        get(last, ctypes.byref(number), 0, ctypes.sizeof(number))
        return time.perf_counter() - begin
