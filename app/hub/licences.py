"""Licences of models in plain words: what one may do, and where the text is. The words are data in `resources/`.

A short help for choosing, not advice: the linked text is what counts. Nothing here asks anybody.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote, urlsplit

import msgspec

NOT_STATED = "unknown"
OWN = "other"
MAX_NAME = 80
MAX_LINK = 500


class Licence(msgspec.Struct, frozen=True):
    """`id` as the Hub writes it, the name people use, one or two sentences, and an https address or ''."""

    id: str
    name: str
    words: str
    link: str = ""


class Licences:
    """The table of known licences. Read when first asked for; a broken file fails loudly, for it is our own."""

    def __init__(self, resources: Path) -> None:
        self._path = resources / "licences.json"
        self._known: dict[str, Licence] | None = None

    def known(self) -> list[Licence]:
        """All that a person can filter by."""
        return [licence for licence in self._table().values() if licence.id not in (OWN, NOT_STATED)]

    def explain(self, id: str, *, name: str = "", link: str = "", repository: str = "") -> Licence:
        """The licence with this id. `name` and `link` are what the maker wrote beside 'other'; `repository` is the web
        address that a relative link belongs to. None of these is trusted: a link is https or left out."""
        table = self._table()
        known = id.strip().lower()
        own_name = _one_line(name)
        found = table.get(own_name.lower().replace(" ", "-") if known == OWN else known)
        if found is not None and found.id != OWN:
            return found
        if not known:
            return table[NOT_STATED]
        shown = own_name or ("" if known == OWN else _one_line(known)) or table[OWN].name
        return Licence(id=known[:MAX_NAME], name=shown, words=table[OWN].words, link=_safe_link(link, repository))

    def _table(self) -> dict[str, Licence]:
        if self._known is None:
            listed = msgspec.json.decode(self._path.read_bytes(), type=list[Licence])
            self._known = {licence.id: licence for licence in listed}
        return self._known


def _one_line(text: str) -> str:
    plain = "".join(character if character.isprintable() else " " for character in text[: 4 * MAX_NAME])
    return re.sub(r"\s+", " ", plain).strip()[:MAX_NAME]


def _safe_link(link: str, repository: str) -> str:
    link = link.strip()
    if not link or len(link) > MAX_LINK or not link.isascii() or not link.isprintable() or " " in link:
        return ""
    try:
        parts = urlsplit(link)
        _ = parts.port
    except ValueError:
        return ""
    if parts.scheme == "https":
        return link if parts.hostname and "@" not in parts.netloc else ""
    if parts.scheme or parts.netloc or not repository or link.startswith(("/", "\\", "#")) or ".." in link:
        return ""
    return f"{repository}/blob/main/{quote(link)}"
