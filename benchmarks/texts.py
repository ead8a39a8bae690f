"""Text to measure with: prose and Markdown from a fixed vocabulary, the same on every machine for the same seed."""

from __future__ import annotations

import random
from collections.abc import Callable

_VOCABULARY = (
    "the a one this that every some another small large quiet early late simple useful warm cold clear heavy light "
    "river house garden letter window table paper engine number answer question morning evening winter summer bridge "
    "market teacher doctor farmer child neighbour village harbour forest mountain kitchen recipe bread water stone "
    "story picture colour music question reason problem method result measure weather journey machine model memory "
    "opens closes carries follows explains keeps shows finds builds changes holds turns reads writes remembers counts "
    "under over beside before after without because although while where and but so then often never always again"
)
WORDS = _VOCABULARY.split()

CODE = """def moving_average(values, width):
    \"\"\"The mean of each window of `width` values.\"\"\"
    total = sum(values[:width])
    yield total / width
    for index in range(width, len(values)):
        total += values[index] - values[index - width]
        yield total / width


for number, mean in enumerate(moving_average([3, 1, 4, 1, 5, 9, 2, 6], 3)):
    print(f"{number:>3} {mean:.2f}")
"""


def prose(source: random.Random, words: int) -> str:
    """Sentences of 6 to 16 words each, `words` in all."""
    parts: list[str] = []
    left = words
    while left > 0:
        length = min(left, source.randint(6, 16))
        sentence = " ".join(source.choices(WORDS, k=length))
        parts.append(sentence[0].upper() + sentence[1:] + ".")
        left -= length
    return " ".join(parts)


def _paragraph(source: random.Random) -> str:
    words = prose(source, source.randint(30, 90)).split()
    place = source.randrange(len(words))
    words[place] = source.choice(("**{}**", "*{}*", "`{}`", "[{}](https://example.org)")).format(
        words[place].strip(".")
    )
    return " ".join(words)


def _list(source: random.Random) -> str:
    mark = source.choice(("- ", "1. "))
    return "\n".join(mark + prose(source, source.randint(5, 14)) for _ in range(source.randint(3, 7)))


def _table(source: random.Random) -> str:
    rows = [
        f"| {prose(source, 2)} | {source.randint(1, 999)} | {prose(source, 4)} |" for _ in range(source.randint(3, 8))
    ]
    return "\n".join(("| what | how many | why |", "|---|---:|---|", *rows))


def _code(source: random.Random) -> str:
    return "```python\n" + CODE * source.randint(1, 2) + "```"


def _quote(source: random.Random) -> str:
    return "> " + prose(source, 20)


def _heading(source: random.Random) -> str:
    return "## " + prose(source, 4).rstrip(".")


BLOCKS: tuple[tuple[Callable[[random.Random], str], int], ...] = (
    (_paragraph, 12),
    (_list, 3),
    (_code, 2),
    (_heading, 2),
    (_table, 1),
    (_quote, 1),
)


def markdown(source: random.Random, length: int) -> str:
    """Paragraphs, lists, code, headings, tables and quotes until there are at least `length` characters."""
    makers = [maker for maker, _ in BLOCKS]
    weights = [weight for _, weight in BLOCKS]
    blocks: list[str] = []
    total = 0
    while total < length:
        block = source.choices(makers, weights)[0](source)
        blocks.append(block)
        total += len(block) + 2
    return "\n\n".join(blocks)
