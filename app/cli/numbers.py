"""Numbers as options of a command, in plain words. Nothing here knows what they are for."""

from __future__ import annotations

import math
from typing import Any

import click

MOST_TOKENS = 10_000_000  # as in the settings


class Number(click.FloatRange):
    """A number in a range. NaN, which compares with nothing, is in none."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail(f"{value!r} is not a valid {self.name}.", param, ctx)
        return number


class Whole(click.IntRange):
    """A whole number in a range."""

    name = "whole number"
