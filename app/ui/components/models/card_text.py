"""Makes plain Markdown of a model card, whose HTML comes from strangers: no tags are left, pictures and links are kept.

Pure functions over text, linear in its length.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from urllib.parse import quote, urljoin, urlsplit

MOST_CHARS = 24_000
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})", re.MULTILINE)
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_HIDDEN = re.compile(r"<(script|style)\b[^<>]{0,2000}>.*?(?:</\1\s*>|\Z)", re.DOTALL | re.IGNORECASE)
_TAG = re.compile(r"</?[a-zA-Z][a-zA-Z0-9-]{0,20}(?:\s[^<>]{0,4000})?/?>")
_ATTRIBUTE = re.compile(r"""([a-zA-Z-]{1,20})\s*=\s*(?:"([^"]{0,2000})"|'([^']{0,2000})'|([^\s"'>]{1,2000}))""")
_BLOCKS = frozenset({"p", "div", "br", "hr", "center", "table", "tr", "ul", "ol", "details", "summary", "section"})
_IMAGE = re.compile(r"!\[[^\]\n]{0,500}\]\(\s*<?([^\s<>)]{1,2000})>?[^)\n]{0,500}\)")


def plain_markdown(card: str) -> tuple[str, bool]:
    """The card without HTML, and whether its end was cut off."""
    whole = card[:MOST_CHARS]
    cut = len(card) > MOST_CHARS
    if cut:
        whole = whole.rpartition("\n\n")[0] or whole
    return _outside_fences(whole, _without_tags), cut


def pictures(markdown: str) -> list[str]:
    """The addresses of the pictures, as they are written, each once."""
    return list(dict.fromkeys(match[1] for match in _IMAGE.finditer(markdown)))


def address(source: str, page: str) -> str:
    """The whole https address of a picture or a link of a card whose web page is `page`; '' for anything else.

    A relative one lies in the repository.
    """
    source = source.strip()
    if not source or len(source) > 2000 or any(character < " " for character in source):
        return ""
    try:
        parts = urlsplit(source)
        if parts.scheme or parts.netloc:
            found = urljoin(page, source)
        elif source.startswith("#"):
            return ""
        else:
            found = f"{page}/resolve/main/{quote(source.lstrip('./'), safe='/%?=&')}"
        target = urlsplit(found)
        _ = target.port
    except ValueError:
        return ""
    allowed = {"https", urlsplit(page).scheme}
    return found if target.scheme in allowed and target.hostname and "@" not in target.netloc else ""


def host_of(url: str) -> str:
    """Where an address leads, for a person to judge."""
    try:
        return urlsplit(url).netloc
    except ValueError:
        return ""


def _outside_fences(text: str, change: Callable[[str], str]) -> str:
    """Applies `change` to everything but fenced code."""
    made: list[str] = []
    at, fence = 0, ""
    for match in _FENCE.finditer(text):
        if not fence:
            made.append(change(text[at : match.start()]))
            at, fence = match.start(), match[1]
        elif match[1][0] == fence[0] and len(match[1]) >= len(fence):
            end = text.find("\n", match.end())
            end = len(text) if end < 0 else end
            made.append(text[at:end])
            at, fence = end, ""
    rest = text[at:]
    made.append(rest if fence else change(rest))
    return "".join(made)


def _without_tags(text: str) -> str:
    if "<" not in text:
        return text
    links: list[str] = []

    def tag(match: re.Match[str]) -> str:
        words = match[0]
        name = re.match(r"</?([a-zA-Z][a-zA-Z0-9-]*)", words)
        kind = name[1].lower() if name else ""
        closing = words.startswith("</")
        if kind == "img":
            values = _attributes(words)
            source = values.get("src", "")
            label = re.sub(r"[\[\]\n]", " ", values.get("alt", ""))
            return f"![{label}](<{source}>)" if source and ">" not in source else ""
        if kind == "a":
            if closing:
                target = links.pop() if links else ""
                return f"](<{target}>)" if target else ""
            target = _attributes(words).get("href", "")
            links.append(target if ">" not in target else "")
            return "[" if links[-1] else ""
        if re.fullmatch(r"h[1-6]", kind):
            return "\n\n" if closing else f"\n\n{'#' * int(kind[1])} "
        if kind in ("b", "strong"):
            return "**"
        if kind == "li":
            return "" if closing else "\n- "
        if kind in ("td", "th"):
            return " " if closing else ""
        return "\n\n" if kind in _BLOCKS else ""

    text = _TAG.sub(tag, _COMMENT.sub("", _HIDDEN.sub("", text)))
    return re.sub(r"\n[ \t]+(?=[^\s\-*+\d>|])", "\n", re.sub(r"\n{3,}", "\n\n", text))


def _attributes(words: str) -> dict[str, str]:
    return {
        match[1].lower(): html.unescape(match[2] or match[3] or match[4] or "").strip()
        for match in _ATTRIBUTE.finditer(words)
    }
