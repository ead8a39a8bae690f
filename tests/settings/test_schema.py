"""Every option is declared once, and completely."""

from __future__ import annotations

import msgspec
import pytest

from app.engine.values import LoadOptions, Sampling
from app.settings.schema import Generation, Option, Settings, options


@pytest.mark.parametrize("option", options(), ids=lambda option: option.name)
def test_each_option_is_fully_declared(option: Option) -> None:
    assert option.label
    assert option.help.endswith(".")
    group, _, field = option.name.partition(".")
    assert getattr(getattr(Settings(), group), field) == option.default
    if option.kind in (int, float) and option.kind is not bool:
        assert option.minimum is not None
        assert option.maximum is not None
        if option.default is not None:
            assert isinstance(option.default, (int, float))
            assert option.minimum <= option.default <= option.maximum
    if option.choices:
        assert option.default in option.choices


def test_the_theme_is_a_choice_and_the_seed_may_be_empty() -> None:
    by_name = {option.name: option for option in options()}
    assert by_name["appearance.theme"].choices == ("system", "paper", "night")
    assert by_name["generation.seed"].optional
    assert by_name["generation.seed"].kind is int
    assert (by_name["appearance.text_size"].minimum, by_name["appearance.text_size"].maximum) == (13, 20)


def test_the_defaults_are_those_of_the_engine() -> None:
    assert Generation().sampling() == Sampling()
    assert Settings().load_options() == LoadOptions(n_seq_max=4)
    assert {f.name for f in msgspec.structs.fields(Sampling)} < {f.name for f in msgspec.structs.fields(Generation)}
