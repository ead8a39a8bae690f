"""Generated text is the same everywhere and looks like a conversation's."""

from __future__ import annotations

import random

from benchmarks.texts import markdown, prose


def test_prose_has_as_many_words_as_asked_for() -> None:
    for words in (1, 5, 16, 640):
        assert len(prose(random.Random(1), words).split()) == words


def test_the_same_seed_gives_the_same_text_and_another_one_another() -> None:
    assert markdown(random.Random(2), 5000) == markdown(random.Random(2), 5000)
    assert markdown(random.Random(2), 5000) != markdown(random.Random(3), 5000)


def test_markdown_is_long_enough_and_closes_its_fences() -> None:
    for seed in range(20):
        text = markdown(random.Random(seed), 3000)
        assert 3000 <= len(text) + 2 < 6000
        assert text.count("```") % 2 == 0
