"""Anything that is JSON becomes values or is passed over; nothing a stranger writes goes further than its field."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from app.hub.answers import (
    MAX_SIZE_BYTES,
    commit_of,
    files_of,
    summaries,
    summary,
    usable_path,
    without_front_matter,
)
from app.hub.names import is_repo

_json: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=8,
)
_FIELDS = (
    "gguf", "tags", "gated", "private", "downloads", "likes", "lastModified", "createdAt", "pipeline_tag", "siblings",
    "cardData", "modelId",
)  # fmt: skip
_rows = st.fixed_dictionaries({"id": st.just("o/n") | _json}, optional=dict.fromkeys(_FIELDS, _json))


@settings(deadline=None)
@given(st.lists(_rows | _json, max_size=4))
def test_any_list_gives_usable_rows(rows: list[Any]) -> None:
    for model in summaries(msgspec.json.encode(rows)):
        assert is_repo(model.repo)
        assert model.params >= 0
        assert all(tag.isprintable() for tag in model.tags)
        assert model.gated in ("", "auto", "manual")


@settings(deadline=None)
@given(
    _json
    | st.lists(
        st.fixed_dictionaries(
            {}, optional={"rfilename": _json, "path": _json, "size": _json, "lfs": _json, "type": _json}
        )
    )
)
def test_any_files_give_usable_paths(entries: Any) -> None:
    files, left_out = files_of(entries)
    for file in files:
        assert usable_path(file.path)
        assert 0 <= file.size_bytes <= MAX_SIZE_BYTES
        assert file.sha256 == "" or len(file.sha256) == 64
    assert all(left.path.isprintable() for left in left_out)


@settings(deadline=None)
@given(st.text(max_size=60))
def test_names_of_repositories(name: str) -> None:
    if is_repo(name):
        assert name.count("/") == 1
        assert name.isascii()
        assert name.isprintable()
        assert ".." not in name


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["sha", "id"]), _json))
def test_a_commit_is_a_commit(row: dict[str, Any]) -> None:
    assert len(commit_of(row)) in (0, 40)
    summary(row, "o/n")


def test_front_matter() -> None:
    assert without_front_matter("---\nlicense: mit\n---\n\n# A\n") == "# A\n"
    assert without_front_matter("\ufeff---\r\na: b\r\n---\r\nText") == "Text"
    assert without_front_matter("# A\n\n---\n\nB") == "# A\n\n---\n\nB"
    assert without_front_matter("---\nnever ends") == "---\nnever ends"
    assert without_front_matter("") == ""
    assert without_front_matter("---\n---\nA") == "A"


@settings(deadline=None)
@given(st.text(alphabet="-\n. a:", max_size=40))
def test_front_matter_of_any_text(card: str) -> None:
    assert card.endswith(without_front_matter(card)) or without_front_matter(card) in card
