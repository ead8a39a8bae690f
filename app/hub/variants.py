"""Arranges the files of a repository as a person chooses among them: quantizations with their shards, the rest apart.

Also says in a few words what a quantization does to the answers. Pure functions over names and sizes.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from app.hub.names import Kind, Part, kind, part_of, quantization, same_on_disk
from app.hub.values import LeftOut, RemoteFile, Variant

CLOSEST = "Closest to the original"
HARD_TO_TELL = "Hard to tell apart"
SLIGHT = "Very slight loss"
BALANCE = "Best balance"
SOME_DETAIL = "Loses some detail"
OFTEN_WRONG = "Often wrong"

USUAL = ("Q4_K_M", "Q8_0")
USUAL_BITS = 4.9

# Bits per weight of models of some 8 billion parameters (llama.cpp, tools/quantize/README.md).
_NOMINAL_BITS = {
    "IQ1_S": 2.0, "IQ1_M": 2.15, "TQ1_0": 1.69, "TQ2_0": 2.06, "IQ2_XXS": 2.38, "IQ2_XS": 2.59, "IQ2_S": 2.75,
    "IQ2_M": 2.93, "Q2_K_S": 2.97, "Q2_K": 3.16, "IQ3_XXS": 3.25, "IQ3_XS": 3.5, "IQ3_S": 3.66, "IQ3_M": 3.76,
    "Q3_K_S": 3.64, "Q3_K_M": 4.0, "Q3_K_L": 4.3, "IQ4_XS": 4.46, "IQ4_NL": 4.68, "Q4_0": 4.66, "Q4_1": 5.13,
    "Q4_K_S": 4.67, "Q4_K_M": 4.89, "Q5_0": 5.6, "Q5_1": 6.07, "Q5_K_S": 5.57, "Q5_K_M": 5.7, "Q6_K": 6.56,
    "Q8_0": 8.5, "MXFP4": 4.3, "MXFP4_MOE": 4.3, "NVFP4": 4.6, "BF16": 16.0, "F16": 16.0, "F32": 32.0,
}  # fmt: skip
_PLAIN = {"Q3_K": "Q3_K_M", "Q4_K": "Q4_K_M", "Q5_K": "Q5_K_M", "Q8_K": "Q8_0"}
_DIGIT = re.compile(r"(?:I?Q|TQ)(\d)")
_BY_DIGIT = {1: OFTEN_WRONG, 2: OFTEN_WRONG, 3: SOME_DETAIL, 4: BALANCE, 5: SLIGHT, 6: HARD_TO_TELL, 7: HARD_TO_TELL}
_BY_BITS = ((7.5, CLOSEST), (6.2, HARD_TO_TELL), (5.2, SLIGHT), (4.2, BALANCE), (3.3, SOME_DETAIL))
_OWN_SIZE = (0.6, 2.5)  # times the nominal bits per weight: outside, a file is not of the size its repository says


class Arranged(NamedTuple):
    """The files of a repository by what they are for."""

    variants: tuple[Variant, ...]
    projectors: tuple[RemoteFile, ...]
    others: tuple[RemoteFile, ...]
    left_out: tuple[LeftOut, ...]


def arrange(files: Iterable[RemoteFile], params: int = 0, architecture: str = "") -> Arranged:
    """Groups files; `params` (0: unknown) gives the bits per weight. Variants from the largest to the smallest."""
    left_out: list[LeftOut] = []
    of_kind: dict[Kind, list[RemoteFile]] = defaultdict(list)
    for file in _told_apart(files, left_out):
        of_kind[kind(file.path)].append(file)
    sets = _sets(of_kind[Kind.MODEL], left_out)
    labels = [quantization(stem) or stem.rpartition("/")[2] for stem in sets]
    names = _names(list(sets), labels)
    variants = [
        _variant(label, name, tuple(shards), params, architecture)
        for label, name, shards in zip(labels, names, sets.values(), strict=True)
    ]
    variants.sort(key=lambda variant: (-variant.size_bytes, variant.name))
    return Arranged(
        tuple(variants),
        tuple(of_kind[Kind.PROJECTOR]),
        (*of_kind[Kind.IMATRIX], *of_kind[Kind.DRAFT]),
        tuple(left_out),
    )


def pick(variants: Sequence[Variant], wanted: str = "") -> Variant | None:
    """The variant a person means by `wanted` (a name, a label, a file or the quantization in either, in any case).

    Without a wish the usual choice: Q4_K_M, else Q8_0, as llama.cpp takes them, else the nearest to 4.9 bits. None when
    nothing is meant, or several things are.
    """
    if not wanted:
        usual = (one for label in USUAL for one in variants if one.label == label)
        return next(usual, min(variants, key=lambda one: abs((one.bits_per_weight or 99) - USUAL_BITS), default=None))
    asked = wanted.strip().lower()
    told = (
        lambda one: one.name.lower() == asked,
        lambda one: any(file.path.lower() == asked for file in one.files),
        lambda one: one.label.lower() == asked,
        lambda one: one.label == quantization(wanted),
    )
    for means in told:
        if found := [one for one in variants if means(one)]:
            return found[0] if len(found) == 1 else None
    return None


def nominal_bits(label: str) -> float:
    """What a quantization of this name usually needs per weight, in bits; 0 when nothing is known of it."""
    name = label.removeprefix("UD-")
    while name:
        name = _PLAIN.get(name, name)
        if name in _NOMINAL_BITS:
            return _NOMINAL_BITS[name]
        name, _, last = name.rpartition("_")
        if not name and (found := _DIGIT.match(last)):
            return int(found[1]) + 0.5
    return 0.0


def bits_per_weight(size_bytes: int, params: int, label: str = "") -> float:
    """Of this file, when the count of parameters can be its own; else what its quantization usually needs; else 0."""
    nominal = nominal_bits(label)
    if params <= 0:
        return nominal
    bits = size_bytes * 8 / params
    low, high = _OWN_SIZE
    if nominal and not low * nominal <= bits <= high * nominal:
        return nominal
    return bits


def quality(label: str, bits: float, architecture: str = "") -> str:
    """A few plain words on how close the answers are to the original's; '' when neither name nor size tells."""
    if _as_trained(label, architecture) or label in ("F16", "BF16", "F32"):
        return CLOSEST
    if found := _DIGIT.match(label.removeprefix("UD-")):
        return _BY_DIGIT.get(int(found[1]), CLOSEST)
    if bits <= 0:
        return ""
    return next((words for least, words in _BY_BITS if bits >= least), OFTEN_WRONG)


def _as_trained(label: str, architecture: str) -> bool:
    """Whether the original itself has this precision."""
    known = architecture.lower()
    return (label.startswith("MXFP4") and known.startswith("gpt-oss")) or (
        label.startswith("TQ") and known.startswith("bitnet")
    )


def _told_apart(files: Iterable[RemoteFile], left_out: list[LeftOut]) -> list[RemoteFile]:
    """Only files that a disk can keep beside each other, by path. What is no model file is passed over silently."""
    kept: dict[str, RemoteFile] = {}
    for file in sorted(files, key=lambda file: file.path):
        if kind(file.path) is Kind.OTHER:
            continue
        if file.size_bytes <= 0:
            left_out.append(LeftOut(path=file.path, reason="The Hub does not say how large this file is."))
        elif kept.setdefault(same_on_disk(file.path), file) is not file:
            reason = "Another file has the same name except for upper and lower case."
            left_out.append(LeftOut(path=file.path, reason=reason))
    return list(kept.values())


def _sets(files: list[RemoteFile], left_out: list[LeftOut]) -> dict[str, list[RemoteFile]]:
    """The files of each model by stem, shards in order. A set that is not complete is left out as a whole."""
    whole: dict[str, list[RemoteFile]] = {}
    split: dict[tuple[str, int], dict[int, RemoteFile]] = defaultdict(dict)
    for file in files:
        part: Part | None = part_of(file.path)
        if part is None:
            whole[file.path[: -len(".gguf")]] = [file]
        else:
            split[part.stem, part.parts][part.number] = file
    for (stem, count), parts in split.items():
        if len(parts) == count and set(parts) == set(range(1, count + 1)):
            key = stem if stem not in whole else f"{stem}-of-{count:05d}"
            whole[key] = [parts[number] for number in sorted(parts)]
        else:
            here = len([number for number in parts if 1 <= number <= count])
            reason = f"Only {here} of its {count:,} parts are there."
            left_out.append(LeftOut(path=parts[min(parts)].path, reason=reason))
    return whole


def _names(stems: list[str], labels: list[str]) -> list[str]:
    """What tells each of these apart: the label where it is alone, else the file's name, else the whole path."""
    label_counts = Counter(labels)
    files = [stem.rpartition("/")[2] for stem in stems]
    file_counts = Counter(files)
    return [
        label if label_counts[label] == 1 else file if file_counts[file] == 1 else stem
        for stem, label, file in zip(stems, labels, files, strict=True)
    ]


def _variant(label: str, name: str, files: tuple[RemoteFile, ...], params: int, architecture: str) -> Variant:
    bits = bits_per_weight(sum(file.size_bytes for file in files), params, label)
    return Variant(
        label=label, name=name, files=files, bits_per_weight=round(bits, 2), quality=quality(label, bits, architecture)
    )
