"""What a name on the Hub says, and under which name it may lie on this computer.

Names come from strangers. Nothing here touches a disk or a network; `local_path` is the only way from a remote name to
a local one. Conventions: llama.cpp common/download.cpp (shards, files that are not chat models) and the Hub's own way
to read quantizations (huggingface.js packages/tasks/src/gguf.ts: UD- prefix, the last match counts).
"""

from __future__ import annotations

import enum
import hashlib
import re
from pathlib import Path
from typing import NamedTuple

MAX_NAME = 100  # characters of one local file or folder name; the longest on Windows and Linux is 255 units
MAX_FOLDERS = 2  # below the repository's own folder; deeper ones are joined into one
_HASH_DIGITS = 16

_QUANTIZATION = re.compile(
    r"""(?<![A-Za-z0-9])
    (?P<dynamic>UD[-_])?
    (?P<quant>
        I?Q[1-9] (?: _ (?: K (?: _ (?:XXS|XS|S|M|L|XL|XXL) )? | XXS|XS|S|M|L|XL|NL | [01] (?: _[48]_[48] )? ) )?
      | TQ[12]_0
      | MXFP[468] (?: _MOE )?
      | NVFP4
      | BF16 | FP?16 | FP?32
    )
    (?![A-Za-z0-9])""",
    re.IGNORECASE | re.VERBOSE,
)
_REPO = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,95}/[A-Za-z0-9_][A-Za-z0-9._-]{0,95}\Z", re.ASCII)
_PART = re.compile(r"-(\d{5})-of-(\d{5})(\.gguf)\Z", re.IGNORECASE | re.ASCII)
_DRAFT = re.compile(r"(?:^|[-_./])(?:mtp|eagle3|dflash|dspark)[-_]", re.IGNORECASE)
_KEPT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+=@,()\[\] -]*\Z", re.ASCII)
_REPLACED = re.compile(r"[^A-Za-z0-9._+=@,()\[\]-]+", re.ASCII)
_DEVICES = re.compile(r"(?:CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|CLOCK\$|COM\d|LPT\d)\Z", re.IGNORECASE | re.ASCII)


class Kind(enum.StrEnum):
    """What a file of a repository is for."""

    MODEL = "model"
    PROJECTOR = "projector"
    IMATRIX = "imatrix"
    DRAFT = "draft"
    OTHER = "other"


class Part(NamedTuple):
    """One file of a split model: `stem` is the path before the numbers, `number` counts from 1."""

    stem: str
    number: int
    parts: int


def is_repo(name: str) -> bool:
    """Whether this can be the name of a repository: owner/name."""
    return bool(_REPO.match(name)) and ".." not in name and "--" not in name


def kind(path: str) -> Kind:
    """What a file is for, by its name alone. Whatever is no GGUF file is OTHER, an importance matrix excepted."""
    name = path.rpartition("/")[2].lower()
    if "imatrix" in name and name.endswith((".gguf", ".dat", ".gguf_file", ".imatrix")):
        return Kind.IMATRIX
    if not name.endswith(".gguf"):
        return Kind.OTHER
    if "mmproj" in name:
        return Kind.PROJECTOR
    return Kind.DRAFT if _DRAFT.search(name) else Kind.MODEL


def part_of(path: str) -> Part | None:
    """Where a file stands in a split model, or None for a whole one. Raises nothing; 3 of 2 is a part too."""
    found = _PART.search(path)
    return Part(path[: found.start()], int(found[1]), int(found[2])) if found else None


def quantization(path: str) -> str:
    """What people call the quantization, in capitals (Q4_K_M, UD-Q4_K_XL, BF16), or ''. The last in a path counts."""
    found = None
    for found in _QUANTIZATION.finditer(path):  # noqa: B007 - the last one is wanted
        pass
    if found is None:
        return ""
    quant = found["quant"].upper().replace("FP16", "F16").replace("FP32", "F32")
    if quant.startswith("BF"):
        quant = "BF16"
    return f"UD-{quant}" if found["dynamic"] else quant


def local_path(folder: Path, repo: str, remote_path: str) -> Path:
    """Where a file of a repository lies below `folder`: always inside it, always the same, never shared with another.

    Usual names stay as they are (owner/name/file). Anything that some system would not keep, would read differently or
    would show as something else (`..`, a drive, a device of Windows, control characters, other scripts, trailing dots,
    great length) is replaced, and a hash of the whole name tells it apart. All parts of a split model keep one stem, as
    the loader needs it. Only names that differ in nothing but case are left to the caller: see `same_on_disk`.
    """
    owner, slash, name = repo.rpartition("/")
    *folders, file = remote_path.split("/")
    below = [_component(one) for one in folders]
    if len(folders) > MAX_FOLDERS:
        below[MAX_FOLDERS - 1 :] = [_replaced("/".join(folders[MAX_FOLDERS - 1 :]))]
    account = _component(owner) if slash else _replaced("", "/")
    return folder.joinpath(account, _component(name), *below, _file(file))


def same_on_disk(path: str) -> str:
    """Equal for two remote paths that a file system without upper and lower case would put into one place."""
    return local_path(Path(), "-/-", path).as_posix().lower()


def _file(name: str) -> str:
    found = _PART.search(name)
    if found is None:
        stem, ending = (name[:-5], name[-5:]) if name.lower().endswith(".gguf") else (name, "")
        return name if _may_stay(name) else _replaced(stem, name) + ending
    stem = name[: found.start()]
    return name if _may_stay(name) else _replaced(stem, f"{stem}/{found[2]}{found[3]}") + name[found.start() :]


def _component(name: str) -> str:
    return name if _may_stay(name) else _replaced(name)


def _may_stay(name: str) -> bool:
    return len(name) <= MAX_NAME and bool(_KEPT.match(name)) and name[-1] not in ". " and not _is_device(name)


def _is_device(name: str) -> bool:
    """Windows looks at what stands before the first dot."""
    return bool(_DEVICES.match(name.partition(".")[0].rstrip(" ")))


def _replaced(shown: str, whole: str | None = None) -> str:
    """A name that is safe everywhere: what is readable of `shown`, then `~` (which no kept name has) and a hash of
    `whole`."""
    digest = hashlib.sha256((shown if whole is None else whole).encode("utf-8", "surrogatepass")).hexdigest()
    readable = _REPLACED.sub("_", shown).strip("._- ")[: MAX_NAME // 2]
    return f"{'_' if _is_device(readable) else ''}{readable or '_'}~{digest[:_HASH_DIGITS]}"
