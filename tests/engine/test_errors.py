"""Errors from codes: the class, the sentence, and that nothing is lost on the way between the processes."""

from __future__ import annotations

import pytest

from app.engine import errors
from app.engine.errors import EngineError, InternalError, OutOfMemory, error_from, printable, size_pair
from app.engine.protocol import Code

CODES = [value for name, value in vars(Code).items() if name.isupper()]


@pytest.mark.parametrize("code", [*CODES, errors.ENGINE_DIED, errors.ENGINE_CLOSED, errors.ENGINE_UNAVAILABLE])
def test_every_code_has_a_sentence(code: str) -> None:
    error = error_from(code, "some detail", {"a": 1})
    assert error.code == code
    assert error.detail.endswith("some detail")
    assert error.numbers == {"a": 1}
    assert error.sentence[0].isupper()
    assert error.sentence.rstrip()[-1] in ".)" or "some detail" in error.sentence
    assert str(error) == error.sentence


def test_an_unknown_code_survives() -> None:
    error = error_from("gpu_on_fire", "at 93 degrees")
    assert isinstance(error, InternalError)
    assert error.code == "gpu_on_fire"
    assert error.detail == "gpu_on_fire: at 93 degrees"
    assert "gpu_on_fire: at 93 degrees" in error.sentence
    assert error_from("gpu_on_fire").detail == "gpu_on_fire"


def test_the_words_of_a_template_that_refuses_are_said() -> None:
    said = errors.TemplateBroken.REFUSES
    sentence = error_from(Code.TEMPLATE_BROKEN, f"{said}Roles must\n\x1b[2J alternate" + "!" * 900).sentence
    assert sentence.startswith(
        'The chat template inside this model file refuses this conversation: "Roles must [2J alter'
    )
    assert len(sentence) < 350
    for detail in ("TypeError: x", said, f"{said} \n"):
        assert error_from(Code.TEMPLATE_BROKEN, detail).sentence == errors.TemplateBroken.default


def test_an_error_crosses_the_border_unchanged() -> None:
    before = errors.GgufTruncated("cut", {"size_bytes": 50_000_000, "needed_bytes": 98_362_432})
    after = error_from(before.code, before.detail, before.numbers)
    assert (type(after), after.sentence) == (type(before), before.sentence)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            OutOfMemory("", {"needed_bytes": 9_100_000_000, "free_bytes": 6_400_000_000}),
            "The model needs 9.1 GB and 6.4 GB are free.",
        ),
        (errors.PromptTooLong("", {"n": 9120, "limit": 8191}), "This needs 9,120 tokens and the context holds 8,191."),
        (
            errors.GgufTruncated("", {"size_bytes": 50_000_000, "needed_bytes": 98_362_432}),
            "This model file is incomplete: 50 MB of at least 98 MB are there.",
        ),
        (errors.NotGguf(), "This file is not a GGUF model: it does not begin like one."),
        (errors.UnknownArchitecture("hal9000"), "does not know (hal9000)."),
        (errors.NotAChatModel("projector"), "This file is not a model to chat with: it is a projector"),
        (errors.NotAChatModel("never heard of"), "This file is not a model to chat with: it holds something else."),
    ],
)
def test_sentences_say_what_happened_in_numbers(error: EngineError, sentence: str) -> None:
    assert sentence in error.sentence


def test_sizes_that_would_look_equal() -> None:
    assert size_pair(98_362_431, 98_362_432) == ("98,362,431 bytes", "98,362,432 bytes")


def test_text_from_outside_is_made_harmless() -> None:
    assert printable("a\x1b[31m\nb\u202ec " + "x" * 100) == "a [31m b c " + "x" * 48 + "…"
