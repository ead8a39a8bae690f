"""Which projector comes along with a variant of a vision model."""

from __future__ import annotations

from collections.abc import Sequence

from app.hub.names import quantization
from app.hub.values import RemoteFile, Variant
from app.hub.variants import nominal_bits

LEAST_BITS = 8.0
"""A projector is small and loses by quantization sooner than the model does."""


def projector_for(variant: Variant, projectors: Sequence[RemoteFile]) -> RemoteFile | None:
    """The one of the variant's own folder or the nearest above, with the nearest number of bits, eight at least."""
    if not variant.files:
        return None
    home = variant.files[0].path.rpartition("/")[0]
    wanted = max(LEAST_BITS, variant.bits_per_weight)

    def distance(file: RemoteFile) -> tuple[int, float, int, str]:
        folder = file.path.rpartition("/")[0]
        above = f"{home}/".startswith(f"{folder}/") or not folder
        steps = home.count("/") - folder.count("/") + (0 if folder or not home else 1) if above else 1000
        bits = nominal_bits(quantization(file.path)) or 16.0
        return (steps, abs(bits - wanted) + (100.0 if bits < LEAST_BITS else 0.0), file.size_bytes, file.path)

    return min(projectors, key=distance, default=None)
