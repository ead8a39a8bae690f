"""Markdown to tokens: CommonMark with tables, struck text and bare addresses, and LaTeX left as it was written.

Only texts and tokens; how they look is for others. HTML is text, but for the little that models write in their lines:
indices and keys.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock, reference
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

References = Mapping[str, Any]
"""Link definitions by label, as markdown-it keeps them."""

_PLAIN = re.compile(r"[^\n\\`*_~\[\]!<>&$]*")
_REFERENCE = re.compile(
    r"^ {0,3}\[(?!\^)[^\]\n]+\]:[ \t]*(?:<|[a-z][a-z0-9+.-]*:|[/#.]|[^\s.]+\.\w).*$", re.IGNORECASE | re.MULTILINE
)
_ADDRESS = re.compile(r"https?://[^\s<>\"“”‘’「」『』【】《》（）。，、；：！？|]+")
_TAGS = re.compile(r"<(sub|sup|kbd)>([^<>\n]{1,80})</\1>", re.IGNORECASE)
_MATH_BLOCK = re.compile(r"(\$\$|\\\[|\\begin\{([a-zA-Z]+\*?)\})")
_MATH = re.compile(
    r"\\\((?:[^\\]|\\[^)])*?\\\)"
    r"|\\\[(?:[^\\]|\\[^\]])*?\\\]"
    r"|\$\$(?:[^$\\]|\\.)+?\$\$"
    r"|\$(?![\s$])(?:[^$\\`]|\\.)*?(?<!\s)\$(?![0-9A-Za-z$])",
    re.DOTALL,
)
_ENDS = {r"\(": r"\)", r"\[": r"\]"}
_MATH_SIGNS = re.compile(r"[\\^_{}=*<>+|/-]")
_CLOSING = {")": "(", "]": "[", "}": "{"}
SHORTEST_ADDRESS = 11  # http://a.bc
_SHORT = 4  # letters between dollar signs that are a formula without any sign of one: $x$, $abc$


@functools.cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    parser.core.ruler.at("inline", _parse_inline)
    parser.core.ruler.push("refine", _refine)
    parser.block.ruler.at("reference", _reference_rule, {"alt": []})
    parser.block.ruler.before(
        "fence", "math", _math_block, {"alt": ["paragraph", "reference", "blockquote", "list", "table"]}
    )
    parser.inline.ruler.before("escape", "math", _math)
    return parser


def parse(source: str, references: References | None = None) -> list[Token]:
    """The tokens of Markdown. `references`: definitions that stand elsewhere in the message."""
    return _parser().parse(source, {"references": dict(references)} if references else None)


def references(text: str) -> References:
    """The link definitions of a message, for each of its chunks. Usually none."""
    if "]:" not in text or not _REFERENCE.search(text):
        return {}
    found: dict[str, Any] = {}
    fence = ""
    for line in text.splitlines():
        stripped = line.strip()
        if fence:
            fence = "" if stripped.startswith(fence) and not stripped.strip(fence[0]) else fence
        elif stripped.startswith(("```", "~~~")):
            fence = stripped[:3]
        elif _REFERENCE.match(line):
            env: dict[str, Any] = {}
            _parser().parse(line, env)
            for label, definition in env.get("references", {}).items():
                found.setdefault(label, definition)
    return found


def _parse_inline(state: StateCore) -> None:
    """The parser's own rule, without the way through all its rules for text in which none of them finds anything."""
    for token in state.tokens:
        if token.type == "inline":
            if _PLAIN.fullmatch(token.content):
                token.children = [Token("text", "", 0, content=token.content)] if token.content else []
            else:
                token.children = token.children or []
                state.md.inline.parse(token.content, state.md, state.env, token.children)


def _reference_rule(state: StateBlock, first: int, last: int, silent: bool) -> bool:
    """The parser's own rule, for what leads somewhere: the text of a footnote or "[INFO]: started" is to be seen."""
    start, end = state.bMarks[first] + state.tShift[first], state.eMarks[first]
    return bool(_REFERENCE.match(state.src[start:end])) and reference(state, first, last, silent)


def _math(state: StateInline, silent: bool) -> bool:
    """A formula within a line. Backslashes, stars and underscores in it mean nothing to Markdown."""
    start = state.pos
    closing = _ENDS.get(state.src[start : start + 2], "$" if state.src[start] == "$" else "")
    if not closing or state.src.find(closing, start + 2) < 0:
        return False
    found = _MATH.match(state.src, start, state.posMax)
    if found is None:
        return False
    formula = found.group()
    if formula[0] == "$" and formula[1] != "$" and len(formula) > _SHORT + 2 and not _MATH_SIGNS.search(formula):
        return False
    if not silent:
        state.push("math", "", 0).content = formula
    state.pos = found.end()
    return True


def _math_block(state: StateBlock, first: int, last: int, silent: bool) -> bool:
    """A formula that has lines of its own. It ends where it is closed, or at a blank line: LaTeX allows none in it."""
    if state.is_code_block(first):
        return False
    start, end = state.bMarks[first] + state.tShift[first], state.eMarks[first]
    found = _MATH_BLOCK.match(state.src, start, end)
    if found is None:
        return False
    opening = found[1]
    closing = {"$$": "$$", "\\[": "\\]"}.get(opening) or f"\\end{{{found[2]}}}"
    line, begin = first, found.end()
    closed = False
    while line < last and not state.isEmpty(line) and (line == first or state.sCount[line] >= state.blkIndent):
        at = state.src.find(closing, begin, state.eMarks[line])
        line += 1
        if at >= 0:
            if state.src[at + len(closing) : state.eMarks[line - 1]].strip(" .,;"):
                return False  # a sentence goes on behind it
            closed = True
            break
        begin = state.bMarks[line] if line < last else begin
    if not closed and opening == "$$" and state.src[found.end() : end].strip():
        return False
    if silent:
        return True
    token = state.push("math_block", "", 0)
    token.content = state.getLines(first, line, state.blkIndent, False)
    token.map = [first, line]
    token.block = True
    state.line = line
    return True


def _refine(state: StateCore) -> None:
    """Finds in the text what is not Markdown: bare addresses, indices, keys."""
    for token in state.tokens:
        if token.type != "inline" or not ("://" in token.content or "</" in token.content):
            continue
        children: list[Token] = []
        depth = 0
        for child in token.children or ():
            depth += child.nesting if child.type in ("link_open", "link_close") else 0
            for part in _with_tags(child) if child.type == "text" else [child]:
                bare = not depth and part.type == "text" and "://" in part.content
                children += _with_links(state.md, part.content) if bare else [part]
        token.children = children


def _with_tags(text: Token) -> list[Token]:
    """`script` tokens, `tag` sub or sup, and inline code for keys."""
    made: list[Token] = []
    at = 0
    for found in _TAGS.finditer(text.content):
        if found.start() > at:
            made.append(Token("text", "", 0, content=text.content[at : found.start()]))
        tag = found[1].lower()
        made.append(Token("code_inline" if tag == "kbd" else "script", tag, 0, content=found[2]))
        at = found.end()
    if not made:
        return [text]
    return [*made, Token("text", "", 0, content=text.content[at:])] if at < len(text.content) else made


def _with_links(md: MarkdownIt, text: str) -> list[Token]:
    made: list[Token] = []
    at = 0
    for found in _ADDRESS.finditer(text):
        shown = found.group().rstrip(".,;:!?'*_~")
        while shown[-1] in _CLOSING and shown.count(shown[-1]) > shown.count(_CLOSING[shown[-1]]):
            shown = shown[:-1].rstrip(".,;:!?'*_~")
        address = md.normalizeLink(shown)
        unfinished = text.endswith("](", 0, found.start())  # a link that is still being written
        if len(shown) < SHORTEST_ADDRESS or unfinished or not md.validateLink(address):
            continue
        if found.start() > at:
            made.append(Token("text", "", 0, content=text[at : found.start()]))
        made += [
            Token("link_open", "a", 1, attrs={"href": address}),
            Token("text", "", 0, content=shown),
            Token("link_close", "a", -1),
        ]
        at = found.start() + len(shown)
    if at < len(text):
        made.append(Token("text", "", 0, content=text[at:]))
    return made
