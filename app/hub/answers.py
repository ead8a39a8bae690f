"""Turns what a Hub answers into values.

Every field may be missing, of another type, absurd or hostile: then it counts as unknown, a row without a usable name
is passed over, and only an answer that is no list or no object at all is an error.

Field names: huggingface_hub hf_api.py (ModelInfo, RepoSibling) and huggingface.js packages/hub/src/lib.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec

from app.hub.errors import not_understood
from app.hub.families import MAX_PARAMS, params_from_name
from app.hub.names import Kind, is_repo, kind
from app.hub.values import Capability, LeftOut, ModelSummary, RemoteFile

MAX_ROWS = 2000
MAX_FILES = 20_000
MAX_TAGS = 200
MAX_TAG = 200
MAX_PATH = 1000
MAX_TEMPLATE = 200_000
MAX_SIZE_BYTES = 1 << 50
MAX_COUNT = 1 << 50

_COMMIT = re.compile(r"[0-9a-f]{40}\Z", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}\Z", re.ASCII)
_WORD = re.compile(r"[a-z0-9][a-z0-9._+-]{0,59}\Z", re.ASCII)
_BASE = re.compile(r"base_model:(?:[a-z]+:)?([^:]+)\Z")
_PICTURES = frozenset(
    {"image-text-to-text", "image-to-text", "any-to-any", "video-text-to-text", "visual-question-answering", "vision"}
)
_TOOL_TAGS = frozenset({"function-calling", "tool-use", "tool-calling", "tools", "agent"})
_REASONING_TAGS = frozenset({"reasoning", "thinking", "chain-of-thought"})
_REASONING_NAME = re.compile(r"(?<![a-z])(?:r1|qwq|thinking|reasoning|reasoner)(?![a-z])")
_REASONING_SIGNS = ("<think>", "enable_thinking", "reasoning_content", "[THINK]", "<|channel", "<thinking>", "◁think▷")
_TOOL_SIGN = re.compile(r"(?<![a-z])tools(?![a-z])")


def decoded(body: bytes) -> Any:
    """The JSON of an answer. Raises NotUnderstood."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise not_understood(f"no JSON: {type(error).__name__}") from error


def summaries(body: bytes) -> list[ModelSummary]:
    """The rows of a list that can be used, each repository once, in their order. Raises NotUnderstood."""
    rows = decoded(body)
    if not isinstance(rows, list):
        raise not_understood("no list")
    found: dict[str, ModelSummary] = {}
    for row in rows[:MAX_ROWS]:
        if isinstance(row, dict) and (one := summary(row)) is not None:
            found.setdefault(one.repo, one)
    return list(found.values())


def summary(row: dict[str, Any], repo: str = "") -> ModelSummary | None:
    """One repository; None when it has no usable name. `repo` is its name where the row has none."""
    name = _text(row.get("id") or row.get("modelId"), 200) or repo
    if not is_repo(name):
        return None
    tags = _tags(row.get("tags"))
    gguf = row.get("gguf") if isinstance(row.get("gguf"), dict) else {}
    assert isinstance(gguf, dict)
    architecture = _text(gguf.get("architecture"), 60).lower()
    base_model = _base_model(row, tags)
    params = _count(gguf.get("total"))
    return ModelSummary(
        repo=name,
        params=params if 0 < params <= MAX_PARAMS else params_from_name(name) or params_from_name(base_model),
        architecture=architecture if _WORD.match(architecture) else "",
        context_length=min(_count(gguf.get("context_length")), 1 << 31),
        license=_license(row, tags),
        base_model=base_model,
        gated=gated if (gated := row.get("gated")) in ("auto", "manual") else "",
        private=row.get("private") is True,
        downloads=_count(row.get("downloads")),
        likes=_count(row.get("likes")),
        updated_ms=_time_ms(row.get("lastModified") or row.get("createdAt")),
        tags=tags,
        capabilities=_capabilities(name, row, tags, _template(gguf.get("chat_template"))),
    )


def commit_of(row: dict[str, Any]) -> str:
    """The commit an answer is about: 40 hexadecimal digits, or ''."""
    sha = row.get("sha")
    return sha if isinstance(sha, str) and _COMMIT.match(sha) else ""


def files_of(entries: Any) -> tuple[list[RemoteFile], list[LeftOut]]:
    """The files of `siblings` (asked with blobs) or of a tree, and those model files whose names nobody could keep.

    A size of 0 is one that the answer does not tell.
    """
    files: list[RemoteFile] = []
    left_out: list[LeftOut] = []
    for entry in entries[:MAX_FILES] if isinstance(entries, list) else ():
        if not isinstance(entry, dict) or entry.get("type", "file") != "file":
            continue
        path = entry.get("rfilename", entry.get("path"))
        if not isinstance(path, str) or not path:
            continue
        lfs = entry.get("lfs") if isinstance(entry.get("lfs"), dict) else {}
        assert isinstance(lfs, dict)
        sha256 = lfs.get("sha256", lfs.get("oid"))
        if usable_path(path):
            size = _count(lfs.get("size")) or _count(entry.get("size"))
            known = sha256 if isinstance(sha256, str) and _SHA256.match(sha256) else ""
            files.append(RemoteFile(path=path, size_bytes=min(size, MAX_SIZE_BYTES), sha256=known))
        elif kind(path) is not Kind.OTHER:
            left_out.append(LeftOut(path=_shown(path), reason="Its name cannot be kept on a disk."))
    return files, left_out


def usable_path(path: str) -> bool:
    """Whether a file of this name can be asked for and kept: no way up, nothing that is not shown, not endless."""
    if len(path) > MAX_PATH or "\\" in path or not path.isprintable():
        return False
    return all(part not in ("", ".", "..") for part in path.split("/"))


def text_field(row: dict[str, Any], *names: str, limit: int = 500) -> str:
    """The text at this path of names, or ''."""
    value: Any = row
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return _text(value, limit)


def without_front_matter(card: str) -> str:
    """The Markdown of a model card without the YAML block at its beginning."""
    text = card.lstrip("\ufeff")
    if not re.match(r"---[ \t]*\r?\n", text):
        return text
    end = re.compile(r"^(?:---|\.\.\.)[ \t]*\r?$", re.MULTILINE).search(text, 3)
    return text[end.end() :].lstrip("\r\n") if end else text


def _shown(text: str) -> str:
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text[:MAX_TAG])


def _text(value: Any, limit: int) -> str:
    """Without what is not printable: control and format characters (bidi overrides, zero width), odd spaces."""
    if not isinstance(value, str):
        return ""
    text = value[:limit]
    return (text if text.isprintable() else "".join(filter(str.isprintable, text))).strip()


def _count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_COUNT else 0


def _tags(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        return ()
    texts = (_text(tag, MAX_TAG) for tag in value[:MAX_TAGS] if isinstance(tag, str) and len(tag) <= MAX_TAG)
    return tuple(filter(None, texts))


def _time_ms(value: Any) -> int:
    if not isinstance(value, str) or len(value) > 40:
        return 0
    try:
        when = datetime.fromisoformat(value)
        return max(0, int(when.timestamp() * 1000))
    except (ValueError, OverflowError, OSError):
        return 0


def _tagged(tags: tuple[str, ...], prefix: str) -> Iterator[str]:
    return (tag[len(prefix) :] for tag in tags if tag.startswith(prefix))


def _license(row: dict[str, Any], tags: tuple[str, ...]) -> str:
    data = row.get("cardData")
    value = data.get("license") if isinstance(data, dict) else None
    if isinstance(value, list):
        value = value[0] if value else None
    found = _text(value, 60).lower() or next(_tagged(tags, "license:"), "").lower()
    return found if _WORD.match(found) else ""


def _base_model(row: dict[str, Any], tags: tuple[str, ...]) -> str:
    data = row.get("cardData")
    value = data.get("base_model") if isinstance(data, dict) else None
    if isinstance(value, list):
        value = value[0] if value else None
    named = [_text(value, 200), *(found[1] for tag in tags if (found := _BASE.match(tag)))]
    return next((name for name in named if is_repo(name)), "")


def _template(value: Any) -> str:
    return value[:MAX_TEMPLATE] if isinstance(value, str) else ""


def _capabilities(name: str, row: dict[str, Any], tags: tuple[str, ...], template: str) -> tuple[Capability, ...]:
    words = {tag.lower() for tag in tags} | {_text(row.get("pipeline_tag"), MAX_TAG)}
    own = name.partition("/")[2].lower()
    can = []
    if words & _PICTURES or _has_projector(row.get("siblings")):
        can.append(Capability.VISION)
    if words & _TOOL_TAGS or ("tools" in template and _TOOL_SIGN.search(template)):
        can.append(Capability.TOOLS)
    if words & _REASONING_TAGS or _REASONING_NAME.search(own) or any(sign in template for sign in _REASONING_SIGNS):
        can.append(Capability.REASONING)
    return tuple(can)


def _has_projector(siblings: Any) -> bool:
    entries = siblings[:MAX_FILES] if isinstance(siblings, list) else ()
    names = (entry.get("rfilename") for entry in entries if isinstance(entry, dict))
    return any(isinstance(one, str) and "mmproj" in one.lower() and kind(one) is Kind.PROJECTOR for one in names)
