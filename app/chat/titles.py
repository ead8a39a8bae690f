"""A conversation's title, made from its first message at once. A person may write a better one later."""

from __future__ import annotations

import re
import unicodedata

LIMIT = 48
LOOKED_AT = 1000
"""Characters of a line that a title can come from. A pasted line may be as long as a book."""

UNTITLED = "New conversation"

_MARKUP = re.compile(r"^(?:[#>\s]+|[-*+]\s+|\d+[.)]\s+)+")
_INLINE = re.compile(r"(\*\*|__|`+|~~)")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")


def title_for(text: str, limit: int = LIMIT) -> str:
    """One clean line of at most `limit` characters, cut between words where there are any."""
    for line in text.splitlines():
        title = _clean(line[:LOOKED_AT])
        if any(character.isalnum() for character in title):
            return _cut(title, limit)
    rest = _clean(" ".join(text[:LOOKED_AT].split()))
    return _cut(rest, limit) if rest else UNTITLED


def _clean(line: str) -> str:
    if line.lstrip().startswith(("```", "~~~")):
        return ""
    line = _LINK.sub(r"\1", line)
    line = _INLINE.sub("", _MARKUP.sub("", line))
    kept = (" " if character in "\t\u2028\u2029" else character for character in line if _visible(character))
    return " ".join("".join(kept).split())


def _visible(character: str) -> bool:
    """Control characters and the invisible ones that turn a line's direction must not reach a list of titles."""
    return character == "\t" or character in "\u200c\u200d" or not unicodedata.category(character).startswith("C")


def _cut(title: str, limit: int) -> str:
    if len(title) <= limit:
        return title
    head = title[: limit - 1]
    if not title[limit - 1].isspace():
        words = head.rsplit(" ", 1)
        if len(words) == 2 and len(words[0]) >= limit // 2:
            head = words[0]
        else:
            while head and (unicodedata.combining(title[len(head)]) or head[-1] == "\u200d"):
                head = head[:-1]
    return head.rstrip(" ,;:.-–—") + "…"
