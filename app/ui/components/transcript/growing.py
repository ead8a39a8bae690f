"""When a document need not be made anew because its Markdown grew: what only has to be written at its end.

Most growth is a few words of prose in an open paragraph. It knows strings only, and in doubt it says no.
"""

from __future__ import annotations

import re

TAIL = 60  # so many characters before the growth tell what it is written into

_SIGN = re.compile(r"[\n\\`*_~\[\]<$]")
_LETTER = re.compile(r"[^\W\d_]")
_ORDINARY = re.compile(r"[^\n\r\t\\`*_~\[\]<#]*")


def addition(before: str, after: str, shown: str) -> str | None:
    """What turns the document of `before` into that of `after` when it is written at its end; None if nothing does.

    `shown`: the last paragraph of the document. Words added to one change nothing that stands before them, if they are
    without signs that could close something, and if the paragraph already is what it is: it ends as the source does.
    """
    if not after.startswith(before):
        return None
    more = after[len(before) :].rstrip(" \n")
    if not more:
        return ""
    if not _ORDINARY.fullmatch(more):
        return None
    old = before.rstrip(" ")
    tail = _SIGN.split(old[-TAIL:])[-1]
    letter = _LETTER.search(tail)
    if letter is None or not shown.endswith(tail[letter.start() :]):
        return None
    definition = "]:" in before
    link = ")" in more and "](" in before
    entity = ";" in more and "&" in after
    tag = ">" in more and "<" in before
    formula = "$" in more and "$" in before
    address = "://" in old[max(old.rfind(" "), old.rfind("\n")) + 1 :] + more
    return None if definition or link or entity or tag or formula or address else after.rstrip(" \n")[len(old) :]
