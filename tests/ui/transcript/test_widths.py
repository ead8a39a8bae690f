"""How a table's width is shared out."""

from __future__ import annotations

from app.ui.components.transcript.widths import Widths, shares, widest, widths_of


def test_what_is_not_seen_takes_no_room() -> None:
    assert widths_of(" [docs](https://git-scm.com/docs/a/long/way) ") == (5, 5)
    assert widths_of("`git log` **now**") == (11, 3)
    assert widths_of("lists<br>files") == (11, 5)
    assert widths_of("") == (0, 0)
    assert widths_of("東京").whole == 4


def test_a_short_column_beside_a_long_one_keeps_its_words_whole() -> None:
    number = widest(widths_of("Number"), widths_of("1,234"))
    parts = shares([Widths(44, 10), Widths(200, 10), number])
    assert sum(parts) in range(998, 1003)
    assert parts[2] >= 1000 * (number.word + 3) // 80
    assert parts[1] > parts[0] > parts[2]


def test_when_nothing_fits_the_longest_words_give_way() -> None:
    columns = [Widths(5, 5)] * 8 + [Widths(60, 60)]
    parts = shares(columns)
    assert all(part >= 1000 * 7 // 80 for part in parts[:8])
