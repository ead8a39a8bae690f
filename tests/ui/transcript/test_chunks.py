"""Cutting: nothing is lost, cuts do not depend on how the text arrives, and each chunk can stand alone."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from app.ui.components.transcript.chunks import MOST_CODE_LINES, Block, Chunk, Chunker, Kind, split

LINES = st.sampled_from(
    [
        "", "word " * 30, "- item", "  more of it", "1. first", "7) seventh", "```", "```python", "~~~", "    indented",
        "# Heading", "> quoted", "---", "| a | b |", "|---|:-:|", "| 1 | 2 |", "***", "\tx", "`", "x" * 5000,
        "long " * 900,
    ]
)  # fmt: skip
TEXTS = st.lists(LINES | st.text(max_size=20), max_size=40).map("\n".join)


def pieces(text: str, chunks: list[Chunk]) -> list[str]:
    return [text[chunk.start : chunk.end] for chunk in chunks]


@settings(deadline=None, max_examples=80)
@given(TEXTS)
def test_chunks_put_together_are_the_source(text: str) -> None:
    chunks = split(text)
    assert "".join(pieces(text, chunks)) == text
    assert all(chunk.end > chunk.start for chunk in chunks)


@settings(deadline=None, max_examples=80)
@given(TEXTS, st.lists(st.integers(1, 400), min_size=1, max_size=40))
def test_the_cuts_are_the_same_however_the_text_arrives(text: str, steps: list[int]) -> None:
    chunker, at, step = Chunker(), 0, 0
    while at < len(text):
        at = min(len(text), at + steps[step % len(steps)])
        step += 1
        chunker.feed(text[:at])
        assert "".join(pieces(text, [*chunker.closed, *chunker.rest(text[:at])])) == text[:at]
    chunker.feed(text)
    assert [*chunker.closed, *chunker.rest(text)] == split(text)


@settings(deadline=None, max_examples=60)
@given(TEXTS)
def test_closed_chunks_never_change(text: str) -> None:
    half = Chunker()
    half.feed(text[: len(text) // 2])
    before = list(half.closed)
    half.feed(text)
    assert half.closed[: len(before)] == before


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=9000))
def test_plain_text_is_only_cut(text: str) -> None:
    chunks = split(text, plain=True)
    assert "".join(pieces(text, chunks)) == text
    assert all(chunk.kind is Kind.PLAIN for chunk in chunks)


def test_a_fence_is_its_own_chunk() -> None:
    text = "Before\n\n```python\nx = 1\n\ny = 2\n```\n\nAfter"
    before, code, after = split(text)
    assert (before.kind, code.kind, after.kind) == (Kind.PROSE, Kind.CODE, Kind.PROSE)
    assert code.language == "python"
    assert code.head
    assert code.tail
    assert text[code.code_start : code.code_end] == "x = 1\n\ny = 2\n"


def test_a_fence_inside_an_item_stays_there() -> None:
    assert [chunk.kind for chunk in split("1. One\n   ```sh\n   ls\n   ```\n2. Two")] == [Kind.PROSE]


def test_a_fence_that_is_never_closed_is_code_to_the_end() -> None:
    text = "```\nx\ny"
    (code,) = split(text)
    assert not code.tail
    assert text[code.code_start : code.code_end] == "x\ny"


def test_long_code_goes_on_in_further_chunks() -> None:
    text = "```c\n" + "line\n" * (2 * MOST_CODE_LINES + 5) + "```\n"
    chunks = split(text)
    assert [chunk.head for chunk in chunks] == [True, False, False]
    assert [chunk.first for chunk in chunks[1:]] == [Block.CONTINUED] * 2
    assert all(chunk.language == "c" for chunk in chunks)
    assert "".join(text[c.code_start : c.code_end] for c in chunks) == "line\n" * (2 * MOST_CODE_LINES + 5)


def test_a_long_list_is_cut_at_items_and_keeps_counting() -> None:
    text = "\n".join(f"{i}. {'word ' * 20}" for i in range(1, 41))
    chunks = split(text)
    assert len(chunks) > 2
    for chunk in chunks[1:]:
        assert chunk.first is Block.CONTINUED
        assert text[chunk.start :].startswith(f"{chunk.ordinal}. ")


def test_a_list_of_ones_keeps_counting_too() -> None:
    text = "\n".join(f"1. {'word ' * 20}" for _ in range(40))
    count = 0
    for chunk in split(text):
        assert chunk.ordinal in (0, count + 1)
        count += text[chunk.start : chunk.end].count("1. ")


def test_a_long_table_repeats_its_head_in_source_only() -> None:
    head = "| Name | Value |\n|---|---:|\n"
    text = head + "".join(f"| row {i} | {i} |\n" for i in range(100))
    first, *others = split(text)
    assert others
    assert all(chunk.prefix == head for chunk in others)
    assert all(chunk.weights == others[0].weights and chunk.weights for chunk in [first, *others])


def test_a_paragraph_without_end_is_cut_too() -> None:
    text = "lorem ipsum " * 4000
    chunks = split(text)
    assert max(chunk.end - chunk.start for chunk in chunks) <= 8001


def test_a_formula_is_never_cut_at_lines_that_look_like_items() -> None:
    formula = "\\begin{aligned}\n" + "".join(f"+ x_{{{i}}} * y \\\\\n- 1. z\n" for i in range(80)) + "\\end{aligned}\n"
    for text in (f"$$\n{formula}$$\n", f"So it is\n\\[\n{formula}\\]\n", formula):
        assert len(split(text)) == 1
        *_, last = split(text + "\n" + "- item and words\n" * 80)
        assert last.first is Block.CONTINUED
    assert [chunk.kind for chunk in split("$$ is a number\n```sh\necho $$\n```\n")] == [Kind.PROSE, Kind.CODE]
