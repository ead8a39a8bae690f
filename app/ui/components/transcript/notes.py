"""What a document says of itself beside its text: where there are links, code, marks and bars. Values only."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Box:
    """Code within a list or a quote: [start, end) of the document, its left edge, and the code as it is copied."""

    start: int
    end: int
    left: int
    language: str
    code: str


@dataclass(slots=True)
class Notes:
    """What the piece paints itself, by position in the document.

    `marks`: bullets "•", numbers "3.", tasks "[ ]" and "[x]", with the free width to the left of the block.
    """

    marks: list[tuple[int, str, int]] = field(default_factory=list)
    codes: list[tuple[int, int]] = field(default_factory=list)
    links: list[tuple[int, int, str]] = field(default_factory=list)
    quotes: list[tuple[int, int, int]] = field(default_factory=list)
    boxes: list[Box] = field(default_factory=list)
    rules: list[int] = field(default_factory=list)
