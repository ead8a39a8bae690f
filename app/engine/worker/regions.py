"""Where the contents of messages stand in a rendered prompt, found by rendering it again with marks around each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_OPEN, _CLOSE = 0xF0000, 0x100000  # the first characters of the two supplementary private use planes
_MAX_MARKS = 0xFFF0
_STAND_IN = "\ufffd"  # some fonts have icons at the characters used as marks: it stands for them, as long as they
_marks = re.compile(f"([{chr(_OPEN)}-\U0010ffff])")


@dataclass(frozen=True)
class Region:
    """Where the content of message `index` stands in the rendered text, outer whitespace not counted."""

    index: int
    start: int
    end: int


def marked_content(content: str, index: int) -> str:
    """The content with marks inside its outer whitespace, so that trimming does to it what it did before."""
    content = _marks.sub(_STAND_IN, content)
    core = content.strip()
    if not core or index >= _MAX_MARKS:
        return content
    start = content.index(core)
    return content[:start] + chr(_OPEN + index) + core + chr(_CLOSE + index) + content[start + len(core) :]


def find_regions(text: str, marked: str) -> list[Region]:
    """Where the contents stand in `text`, given the same rendering with marks; [] if the marks changed more."""
    opened: dict[int, int] = {}
    found: dict[int, Region | None] = {}
    parts: list[str] = []
    position = 0
    for stretch in filter(None, _marks.split(marked)):
        code = ord(stretch[0])
        if code < _OPEN:
            parts.append(stretch)
            position += len(stretch)
        elif code < _CLOSE:
            index = code - _OPEN
            if index in opened or index in found:
                found[index] = None  # printed twice: neither place is the one
            opened[index] = position
        else:
            index = code - _CLOSE
            if index not in found:
                found[index] = Region(index, opened[index], position) if index in opened else None
            opened.pop(index, None)
    if "".join(parts) != _marks.sub(_STAND_IN, text):
        return []
    regions = sorted((region for region in found.values() if region), key=lambda region: region.start)
    return _ascending(regions)


def _ascending(regions: Sequence[Region]) -> list[Region]:
    kept: list[Region] = []
    for region in regions:
        if not kept or (kept[-1].end <= region.start and kept[-1].index < region.index):
            kept.append(region)
    return kept
