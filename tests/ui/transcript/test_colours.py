"""Colours of code: across the chunks of long code, in lists, and while it is written."""

from __future__ import annotations

from PySide6.QtGui import QColor
from pytestqt.qtbot import QtBot

from app.chat.messages import ReplyState
from app.services.changes import ReplyChanged, ReplyGrew
from app.ui.components.transcript.chunks import MOST_CODE_LINES
from app.ui.components.transcript.highlighting import Lexing, load
from app.ui.components.transcript.piece import Piece
from app.ui.components.transcript.rows import ANSWER, Row
from app.ui.components.transcript.transcript import Transcript
from tests.support.transcripts import Conversations
from tests.ui.transcript.conftest import Show


def colour_of(piece: Piece, words: str) -> QColor | None:
    """The colour that was laid over some words of a piece."""
    at = piece.document.toPlainText().index(words)
    block = piece.document.findBlock(at)
    inside = at - block.position()
    for found in block.layout().formats():
        if found.start <= inside < found.start + found.length:
            return found.format.foreground().color()
    return None


def coloured(transcript: Transcript, qtbot: QtBot, number: int = 0) -> list[Piece]:
    column, row = transcript.column, transcript.column.row(number)
    pieces = [column.piece(row, ANSWER, index) for index in range(len(row.parts[ANSWER].chunks))]
    transcript.idle.wake()
    qtbot.waitUntil(lambda: not column.pieces.uncoloured())
    return pieces


def test_a_string_over_many_lines_is_one_in_every_part(show: Show, qtbot: QtBot, conversations: Conversations) -> None:
    inside = "".join(f"for the {i}th time, not code\n" for i in range(2 * MOST_CODE_LINES))
    conversations.answer(f'```python\nx = """\n{inside}"""\nreturn last\n```\n')
    transcript = show()
    string, keyword = transcript.looks.colour("code_string"), transcript.looks.colour("code_keyword")
    pieces = coloured(transcript, qtbot)
    assert len(pieces) == 3
    assert colour_of(pieces[1], "for") == colour_of(pieces[2], "for") == string
    assert colour_of(pieces[2], "return") == keyword


def test_code_in_a_list_has_colours(show: Show, qtbot: QtBot, conversations: Conversations) -> None:
    conversations.answer(
        "Words for it\n\n- item\n\n  ```bash\n  if true  # why\n  ```\n\n  ```python\n  return 12\n  ```\n"
    )
    transcript = show()
    (piece,) = coloured(transcript, qtbot)
    looks = transcript.looks
    assert colour_of(piece, "# why") == looks.colour("ink3")
    assert colour_of(piece, "return") == looks.colour("code_keyword")
    assert colour_of(piece, "for it") is None


def begun(show: Show, conversations: Conversations) -> tuple[Transcript, Row]:
    """A reply that is being written and has no text yet."""
    conversations.ask("Well?")
    conversations.answer("", state=ReplyState.WRITING)
    transcript = show()
    return transcript, transcript.column.row(1)


def grow(transcript: Transcript, at: int, text: str) -> int:
    transcript.apply(ReplyGrew(conversation_id="c", message_id="m00001", offset=at, text=text, thinking=False))
    transcript.streaming.flush()
    return at + len(text)


def test_code_that_is_being_written_keeps_its_colours(show: Show, qtbot: QtBot, conversations: Conversations) -> None:
    load("python", "")
    transcript, row = begun(show, conversations)
    column = transcript.column
    keyword = transcript.looks.colour("code_keyword")
    for opening, indent in (("```python\n", ""), ("\n- item\n\n  ```python\n", "  ")):
        at = grow(transcript, len(row.parts[ANSWER].text), f"{opening}{indent}return 1\n")
        number = len(row.parts[ANSWER].chunks) - 1
        qtbot.waitUntil(lambda n=number: colour_of(column.piece(row, ANSWER, n), "return") == keyword)
        for part in (f"{indent}x", " = 2", "\n"):
            at = grow(transcript, at, part)
            assert colour_of(column.piece(row, ANSWER, number), "return") == keyword
        grow(transcript, at, f"{indent}```\n")
        assert colour_of(column.piece(row, ANSWER, number), "return") == keyword


def test_colours_come_although_more_is_written_all_the_time(
    show: Show, qtbot: QtBot, conversations: Conversations
) -> None:
    load("python", "")
    transcript, row = begun(show, conversations)
    column = transcript.column
    at = [grow(transcript, 0, "```python\nreturn 1\n")]

    def more() -> bool:
        at[0] = grow(transcript, at[0], "x = 1\n")
        return colour_of(column.piece(row, ANSWER, 0), "return") is not None

    qtbot.waitUntil(more)


def test_what_was_coloured_without_its_end_is_coloured_again(
    show: Show, qtbot: QtBot, conversations: Conversations
) -> None:
    load("css", "")
    transcript, row = begun(show, conversations)
    column = transcript.column
    text = "```css\n/* red\n" + "color: red;\n" * (2 * MOST_CODE_LINES)
    at = grow(transcript, 0, text)
    coloured(transcript, qtbot, 1)
    grow(transcript, at, "*/\np { color: red }\n```\n")
    conversations.change("m00001", text=f"{text}*/\np {{ color: red }}\n```\n", state=ReplyState.DONE)
    transcript.apply(ReplyChanged(conversation_id="c", message_id="m00001", state=ReplyState.DONE))
    for piece in coloured(transcript, qtbot, 1):
        assert colour_of(piece, "color: red;") == transcript.looks.colour("ink3")
    assert column.piece(row, ANSWER, 2).chunk.tail


def test_lexing_goes_as_far_as_it_is_asked_to() -> None:
    load("python", "")
    code = "x = 1\n" * 2000
    lexing = Lexing(code, "python")
    assert not lexing.goes_to(len(code), 0.0)
    assert lexing.goes_to(12, 0.0) or lexing.goes_to(12, float("inf"))
    assert lexing.within(6, 11) == [(2, 1, "ink2"), (4, 1, "code_number")]
