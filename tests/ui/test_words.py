"""Numbers and times as people read them."""

from __future__ import annotations

import datetime

import pytest

from app.ui import words
from tests.support.fake_models import starter


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0"), (640, "640"), (3174, "3.1k"), (8192, "8k"), (9999, "9.8k"), (12_400, "12k")]
)
def test_tokens(count: int, said: str) -> None:
    assert words.tokens_short(count) == said


@pytest.mark.parametrize(("limit", "said"), [(512, "512"), (8192, "8k"), (131_072, "128k")])
def test_context(limit: int, said: str) -> None:
    assert words.context_short(limit) == said


@pytest.mark.parametrize(("size", "said"), [(1, "1 MB"), (98_000_000, "98 MB"), (5_030_000_000, "5.0 GB")])
def test_sizes(size: int, said: str) -> None:
    assert words.size(size) == said


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "0 B"),
        (1, "0.1 kB"),
        (640, "0.6 kB"),
        (9_949, "9.9 kB"),
        (9_950, "10 kB"),
        (42_000, "42 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (2_019_000_000, "2.0 GB"),
        (3 * 10**13, "30.0 TB"),
    ],
)
def test_traffic(count: int, said: str) -> None:
    assert words.traffic(count) == said


def test_moments() -> None:
    today = datetime.date(2026, 3, 1)

    def said(*parts: int) -> str:
        return words.moment(int(datetime.datetime(*parts).timestamp() * 1000), today)  # type: ignore[arg-type]

    assert said(2026, 3, 1, 9, 5) == "Today 09:05"
    assert said(2026, 2, 28, 23, 59) == "28 Feb 23:59"
    assert said(2025, 12, 31, 23, 59) == "31 Dec 2025"


@pytest.mark.parametrize(
    ("hour", "said"),
    [(4, "evening"), (5, "morning"), (11, "morning"), (12, "afternoon"), (17, "afternoon"), (18, "evening")],
)
def test_greetings(hour: int, said: str) -> None:
    assert words.greeting(hour) == f"Good {said}."


@pytest.mark.parametrize(("days", "group"), [(0, "Today"), (1, "Yesterday"), (2, "Earlier"), (-1, "Today")])
def test_days(days: int, group: str) -> None:
    today = datetime.date(2026, 3, 1)
    assert words.day_group(today - datetime.timedelta(days=days), today) == group


@pytest.mark.parametrize(
    ("name", "title"),
    [("SmolLM2-135M-Instruct.Q4_1", "SmolLM2-135M-Instruct"), ("Qwen3 8B", "Qwen3 8B"), ("a-Q4_1.gguf", "a")],
)
def test_the_quantization_is_not_said_twice(name: str, title: str) -> None:
    assert words.model_title(starter(name=name)) == title
