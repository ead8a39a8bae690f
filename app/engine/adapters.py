"""A LoRA adapter's file: whether it is one, what it was made for, and whether it belongs to a model. Headers only.

Looked at before native code sees it, in the parent and once more in the child. An adapter holds, for tensors `W` of a
model, two thin ones: `A` (inputs x rank) and `B` (rank x outputs); with it the model computes W x + scale B A x. The
names and what must hold for the sizes: llama.cpp, src/llama-adapter.cpp.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Iterator
from pathlib import Path

from app.engine.errors import AdapterMisfit, ModelFileError, printable
from app.engine.gguf import fingerprint_of, open_model
from app.engine.gguf_header import Header, ReadAt, Tensor, read_header
from app.engine.protocol import Code
from app.engine.values import AdapterFile

_A, _B = ".lora_a", ".lora_b"
_IGNORED = "_norm.weight"
_EMBEDDING = "token_embd.weight"  # looked up and not multiplied, so its A lies the other way round
_OUTPUT = "output.weight"
_REASONS = {
    Code.FILE_MISSING: AdapterMisfit.MISSING,
    Code.FILE_UNREADABLE: AdapterMisfit.UNREADABLE,
    Code.NOT_GGUF: AdapterMisfit.OTHER,
}
_NUMBERS = {0, 1, 2, 3, 6, 7, 8, 10, 11, 12, 13, 14, 30}  # types that can be multiplied with everywhere


def read_adapter(path: Path) -> Header:
    """The header of an adapter's file. Raises AdapterMisfit for everything else."""
    with _opened(path) as (read_at, size):
        header = read_header(read_at, size)
    if not is_adapter(header):
        raise _misfit(AdapterMisfit.OTHER, path)
    if header.text("general.type") != "adapter" or header.text("adapter.type") != "lora":
        raise _misfit(AdapterMisfit.KIND, path, header.text("adapter.type"))
    if "adapter.alora.invocation_tokens" in header.metadata:
        raise _misfit(AdapterMisfit.KIND, path, "aLoRA")
    alpha = header.metadata.get("adapter.lora.alpha", 0.0)
    if not isinstance(alpha, float) or not math.isfinite(alpha) or not header.architecture or not _pairs(path, header):
        raise _misfit(AdapterMisfit.BROKEN, path)
    return header


def fingerprint(path: Path) -> str:
    """What identifies an adapter's file, as that of a model (gguf.py). Raises AdapterMisfit."""
    with _opened(path) as (read_at, size):
        return fingerprint_of(read_at, read_header(read_at, size))


def is_adapter(header: Header) -> bool:
    """Whether a GGUF calls itself an adapter, of whatever kind."""
    return header.text("general.type") == "adapter" or "adapter.type" in header.metadata


def describe(path: Path, header: Header) -> AdapterFile:
    """What a list says of an adapter."""
    ranks = [_side(tensor.shape, 0) for tensor in header.tensors if tensor.name.endswith(_B)]
    return AdapterFile(
        path=str(path),
        name=printable(header.text("general.name")) or path.stem,
        architecture=printable(header.architecture),
        base=printable(header.text("general.base_model.0.name")),
        rank=max(ranks, default=0),
        size_bytes=header.file_size_bytes,
    )


def check_fits(path: Path, adapter: Header, model: Iterable[Header]) -> None:
    """Raises AdapterMisfit when an adapter was made for another model than the one whose files have these headers."""
    headers = list(model)
    if adapter.architecture != headers[0].architecture:
        raise _misfit(AdapterMisfit.ARCHITECTURE, path, adapter.architecture, headers[0].architecture)
    tensors = {tensor.name: tensor for header in headers for tensor in header.tensors}
    for name, (a, b) in _pairs(path, adapter).items():
        if name not in tensors or not _belongs(tensors[name], a, b):
            raise _misfit(AdapterMisfit.SIZES, path, name)
        if name == _EMBEDDING and _OUTPUT not in tensors:
            raise _misfit(AdapterMisfit.TIED, path)  # A and B would be multiplied the wrong way round, and abort


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tuple[ReadAt, int]]:
    try:
        with open_model(path) as source:
            yield source
    except ModelFileError as error:
        raise _misfit(_REASONS.get(error.code, AdapterMisfit.BROKEN), path) from error


def _pairs(path: Path, header: Header) -> dict[str, tuple[Tensor, Tensor]]:
    """For each tensor of the model that is changed, its A and its B."""
    halves: dict[str, dict[str, Tensor]] = {}
    for tensor in header.tensors:
        if tensor.name.endswith(_IGNORED):
            continue
        name, half = tensor.name[: -len(_A)], tensor.name[-len(_A) :]
        if half not in (_A, _B) or tensor.type not in _NUMBERS:
            raise _misfit(AdapterMisfit.BROKEN, path)
        halves.setdefault(name, {})[half] = tensor
    if any(len(both) != 2 for both in halves.values()):
        raise _misfit(AdapterMisfit.BROKEN, path)
    return {name: (both[_A], both[_B]) for name, both in halves.items()}


def _belongs(tensor: Tensor, a: Tensor, b: Tensor) -> bool:
    inputs, outputs, experts = (_side(tensor.shape, side) for side in range(3))
    if tensor.name.endswith(_EMBEDDING):
        return inputs == _side(b.shape, 1) and outputs == _side(a.shape, 1) and _side(a.shape, 0) == _side(b.shape, 0)
    return (
        inputs == _side(a.shape, 0)
        and outputs == _side(b.shape, 1)
        and _side(a.shape, 1) == _side(b.shape, 0)
        and experts == _side(a.shape, 2) == _side(b.shape, 2)
    )


def _side(shape: tuple[int, ...], side: int) -> int:
    return shape[side] if side < len(shape) else 1


def _misfit(reason: str, path: Path, *more: str) -> AdapterMisfit:
    return AdapterMisfit("\n".join((reason, path.name, *more)))
