"""What a chunk becomes: its text, its ornaments, its copies. Nothing outside is ever read."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PySide6.QtGui import QTextDocument
from pytestqt.qtbot import QtBot

from app.services.changes import PathChanged
from app.ui.components.transcript.chunks import code_of, split
from app.ui.components.transcript.highlighting import _lexers, display_name, spans
from app.ui.components.transcript.looks import BOX_HEAD, Looks
from app.ui.components.transcript.parsing import references
from app.ui.components.transcript.piece import Piece
from app.ui.theme.theme import Theme
from tests.support.transcripts import Conversations
from tests.ui.transcript.conftest import Show


@pytest.fixture
def looks(theme: Theme) -> Looks:
    return Looks(theme)


def piece_of(text: str, looks: Looks, width: int = 600) -> Piece:
    chunk = split(text)[0]
    piece = Piece(chunk, text[chunk.start : chunk.end], looks, ink="ink", references=references(text), closes=True)
    piece.lay_out(width)
    return piece


def everything(piece: Piece) -> str:
    return piece.copied(0, piece.length)


def test_prose_reads_as_a_person_sees_it(looks: Looks) -> None:
    piece = piece_of("**Bold**, *soft* and `code`.\n\n- one\n- two\n\n3. three\n4. four\n", looks)
    assert everything(piece) == "Bold, soft and code.\n\n- one\n- two\n3. three\n4. four"


def test_paragraphs_stay_apart_and_lines_of_code_together(looks: Looks) -> None:
    text = "First.\n\nSecond.\n\n- item\n\n  ```\n  l1\n\n  l2\n  ```\n\n> ```\n> q1\n> q2\n> ```\n"
    assert everything(piece_of(text, looks)) == "First.\n\nSecond.\n\n- item\n\nl1\n\nl2\n\nq1\nq2"


def test_tables_are_copied_with_tabs(looks: Looks) -> None:
    assert everything(piece_of("| a | b |\n|---|---|\n| 1 | 2 |\n", looks)) == "a\tb\n1\t2"


def test_a_table_has_no_hidden_height(looks: Looks) -> None:
    piece = piece_of("| a | b |\n|---|---|\n| 1 | 2 |\n", looks)
    assert 2 * 35 <= piece.height <= 2 * 35 + 4


def test_ornaments_are_noted(looks: Looks) -> None:
    piece = piece_of("- dot\n- [x] task\n\n1. number\n\n> bar\n\n---\n\n`code`\n\n- a\n  ```\n  box\n  ```\n", looks)
    assert {kind for kind, _rect, _text in piece.ornaments} == {"dot", "task", "number", "bar", "rule", "code", "box"}
    assert all(0 <= rect.top() <= rect.bottom() <= piece.height + 1 for _kind, rect, _text in piece.ornaments)


def test_lines_have_the_height_of_the_look(looks: Looks) -> None:
    assert piece_of("one line", looks).height == looks.line
    assert piece_of("one line\nand another", looks).height == 2 * looks.line


def test_html_is_text(looks: Looks) -> None:
    assert "<script>alert(1)</script>" in everything(piece_of("x <script>alert(1)</script>", looks))


def test_images_are_words_and_no_file_is_opened(looks: Looks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = tmp_path / "secret.png"
    picture.write_bytes(b"x")
    opened: list[str] = []
    sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
    asked: list[object] = []
    monkeypatch.setattr(QTextDocument, "loadResource", lambda *args: asked.append(args))
    text = f"![mine](file://{picture}) ![far](https://example.org/x.png)\n\n<img src='{picture}'>"
    piece = piece_of(text, looks)
    assert "[mine]" in everything(piece)
    assert not asked
    assert not [path for path in opened if "secret" in path]


def test_links_keep_their_address_but_not_dangerous_ones(looks: Looks) -> None:
    piece = piece_of("[a](https://example.org/a) [b](javascript:alert(1)) [c](file:///etc/passwd)", looks)
    assert [url for _start, _end, url in piece.notes.links] == ["https://example.org/a"]


def test_the_words_of_a_picture_lead_to_it(looks: Looks) -> None:
    text = "![far](https://example.org/x.png) ![mine](file:///x.png) [![badge](https://example.org/b.svg)](https://example.org)"
    links = piece_of(text, looks).notes.links
    assert [url for _start, _end, url in links] == ["https://example.org/x.png", "https://example.org"]


def test_references_are_found_from_another_chunk(looks: Looks) -> None:
    text = "See [this][1].\n\n" + "filler words here. " * 80 + "\n\n# Links\n\n[1]: https://example.org/one\n"
    assert len(split(text)) > 1
    assert piece_of(text, looks).notes.links[0][2] == "https://example.org/one"


def test_a_footnote_stands_once(looks: Looks) -> None:
    text = "Words[^1].\n\n" + "filler words here. " * 80 + "\n\n# Notes\n\n[^1]: The note.\n"
    assert len(split(text)) > 1
    assert "The note" not in everything(piece_of(text, looks))


def test_formulas_are_shown_and_copied_as_source(looks: Looks) -> None:
    text = "So \\(a_1 * b_2\\):\n\n\\[\nx_{1} \\\\\n= *y*\n\\]\n"
    assert everything(piece_of(text, looks)) == text.rstrip()


def test_what_follows_a_table_keeps_its_distance(looks: Looks) -> None:
    table = "| a | b |\n|---|---|\n| 1 | 2 |\n"
    piece = piece_of(f"{table}\nText behind it", looks)
    below = piece.height - looks.line - piece_of(table, looks).height
    assert 12 <= below <= 20


def test_a_table_in_a_list_begins_where_its_item_does(looks: Looks) -> None:
    piece = piece_of("- item\n\n  | a | b |\n  |---|---|\n  | 1 | 2 |\n", looks)
    text = piece.document.toPlainText()
    assert piece.caret_rect(text.index("a")).x() == piece.caret_rect(text.index("i")).x()


def test_the_bar_of_a_quote_goes_down_to_the_end_of_its_table(looks: Looks) -> None:
    piece = piece_of("> | a | b |\n> |---|---|\n> | 1 | 2 |\n", looks)
    ((_kind, bar, _text),) = piece.ornaments
    assert bar.bottom() >= piece.height - 3


def test_code_in_a_list_has_a_head_and_its_lines_keep_inside(looks: Looks) -> None:
    piece = piece_of("- item\n\n  ```python\n  x = 1\n  ```\n\n> ```\n> y\n> ```\n", looks)
    assert [(box.language, box.code) for box in piece.notes.boxes] == [("python", "x = 1"), ("", "y")]
    first, second = piece.boxes
    assert first.left() == 20
    assert piece.caret_rect(piece.notes.boxes[0].start).top() - first.top() == BOX_HEAD
    (bar,) = [rect for kind, rect, _text in piece.ornaments if kind == "bar"]
    assert (bar.top(), bar.bottom()) == (second.top(), second.bottom())
    assert piece.height >= second.bottom()


def test_right_to_left_items_stand_at_the_right(looks: Looks) -> None:
    piece = piece_of("- שלום עולם\n", looks)
    (dot,) = [rect for kind, rect, _text in piece.ornaments if kind == "dot"]
    assert dot.left() > 300


def test_code_keeps_every_character(looks: Looks) -> None:
    code = "def f():\n\treturn 'ü'  # ok\n\n\nx = 1"
    assert everything(piece_of(f"```python\n{code}\n```\n", looks)) == code


def test_code_is_shown_in_the_order_in_which_it_runs(looks: Looks) -> None:
    code = "if x \u202e}\u2066 # check\u2069:"
    text = f"```c\n{code}\n```\n"
    piece = piece_of(text, looks)
    assert piece.document.toPlainText() == "if x \ufffd}\ufffd # check\ufffd:"
    assert code_of(piece.chunk, piece.source) == f"{code}\n"
    assert "\u202e" not in everything(piece_of("so `a\u202eb` it is\n\n- x\n\n  ```\n  \u202ey\n  ```\n", looks))


def test_colours_come_from_the_language() -> None:
    found = {role for _start, _length, role in spans("def f(): return 'a', 12  # no", "python")}
    assert found == {"code_keyword", "code_string", "code_number", "ink3", "ink2"}
    assert list(spans("def", "no such language")) == []
    assert display_name("py") == "Python"
    assert display_name("no such language") == "no such language"


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(alphabet="ab *_`#>|-[]()\n1.:!<>\\~", max_size=200))
def test_any_markdown_can_be_rendered(looks: Looks, text: str) -> None:
    for chunk in split(text):
        piece = Piece(chunk, text[chunk.start : chunk.end], looks, ink="ink", references={}, closes=True)
        assert piece.lay_out(300) >= 0
        piece.hit(10, 10)
        piece.caret_rect(piece.text_end())
        piece.copied(0, piece.length)


def test_a_new_language_is_loaded_elsewhere_and_coloured_then(
    show: Show, qtbot: QtBot, conversations: Conversations, monkeypatch: pytest.MonkeyPatch
) -> None:
    for language in ("rust", "nonsense"):
        monkeypatch.delitem(_lexers, language, raising=False)
    asked: list[tuple[str, Callable[[], None]]] = []
    transcript = show()
    transcript.idle.start_thread = lambda name, run: asked.append((name, run))
    conversations.answer("```rust\nfn main() {}\n```\n\n```nonsense\nx\n```")
    transcript.apply(PathChanged(conversation_id="c"))
    qtbot.waitUntil(lambda: len(asked) == 2)
    assert {name for name, _run in asked} == {"inglenook-lexers"}
    column, row = transcript.column, transcript.column.row(0)
    rust = column.piece(row, 1, 0)
    assert not rust.coloured
    for _name, run in asked:
        run()
    qtbot.waitUntil(lambda: not transcript.idle.busy)
    assert rust.coloured
    assert rust.document.firstBlock().layout().formats()
    assert not column.pieces.uncoloured()
    assert len(asked) == 2
