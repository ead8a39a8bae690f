"""Characters and stop strings across tokens."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.engine.worker.text import TextStream

EMOJI = "".join(chr(code) for code in range(0x1F300, 0x1F300 + 500)) + "👩‍👩‍👧‍👦🏳️‍🌈é" * 100


def run(pieces: list[bytes], stop: tuple[str, ...] = (), *, cut: bool = False) -> tuple[str, bool]:
    stream = TextStream(stop)
    text = "".join(stream.feed(piece) for piece in pieces)
    return text + stream.finish(cut=cut), stream.stopped


def in_bytes(text: str) -> list[bytes]:
    return [bytes([byte]) for byte in text.encode()]


def test_a_thousand_emoji_byte_by_byte() -> None:
    assert run(in_bytes(EMOJI)) == (EMOJI, False)


def test_no_half_character_is_ever_shown() -> None:
    stream = TextStream()
    shown = [stream.feed(piece) for piece in in_bytes("a🦊b")]
    assert shown == ["a", "", "", "", "🦊", "b"]


def test_invalid_bytes_become_replacement_characters_as_soon_as_they_cannot_be_completed() -> None:
    stream = TextStream()
    assert stream.feed(b"\xf0\x9f") == ""
    assert stream.feed(b"x") == "\ufffdx"
    assert stream.feed(b"\xff") == "\ufffd"


def test_what_is_left_at_the_end() -> None:
    assert run([b"ok \xf0\x9f"]) == ("ok \ufffd", False)
    assert run([b"ok \xf0\x9f"], cut=True) == ("ok ", False)


def test_a_stop_string_across_tokens_is_never_shown() -> None:
    stream = TextStream(["</s>", "\nUser:"])
    shown = [stream.feed(piece) for piece in (b"Hi", b"\nUs", b"e", b"r", b": more")]
    assert shown == ["Hi", "", "", "", ""]
    assert stream.stopped
    assert stream.finish() == ""
    assert stream.feed(b"more") == ""


def test_held_text_comes_when_it_turns_out_to_be_none() -> None:
    stream = TextStream(["STOP"])
    assert stream.feed(b"a ST") == "a "
    assert stream.feed(b"ART") == "START"
    assert stream.feed(b"S") == ""
    assert stream.finish() == "S"


def test_the_earliest_stop_string_wins() -> None:
    assert run([b"one two three"], ("three", "two")) == ("one ", True)


def test_a_stop_string_of_characters_that_span_tokens() -> None:
    assert run(in_bytes("ab🛑cd"), ("🛑",)) == ("ab", True)


def test_empty_stop_strings_are_ignored() -> None:
    assert run([b"text"], ("", "")) == ("text", False)


@given(st.text(), st.lists(st.text(min_size=1, max_size=4), max_size=3), st.data())
def test_slicing_does_not_matter(text: str, stop: list[str], data: st.DataObject) -> None:
    whole = text.encode()
    pieces, at = [], 0
    while at < len(whole):
        size = data.draw(st.integers(1, 5))
        pieces.append(whole[at : at + size])
        at += size
    found = [text.find(string) for string in stop if string in text]
    assert run(pieces, tuple(stop)) == (text[: min(found)] if found else text, bool(found))


@pytest.mark.parametrize("stop", ["aab", "abab", "aaab"])
def test_stop_strings_that_overlap_themselves(stop: str) -> None:
    text = "aaabab" + stop
    assert run(in_bytes(text), (stop,))[0] == text[: text.find(stop)]
