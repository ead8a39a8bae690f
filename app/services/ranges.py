"""The ranges of what may be chosen for a reply: a number outside is refused before it is kept, because what is kept has
to be read again."""

from __future__ import annotations

import functools
from collections.abc import Iterable

import msgspec

from app.engine.values import Adapter, Sampling
from app.services.errors import NotAllowed
from app.settings.schema import Option, options

MOST = 2.0
"""The largest scale of an adapter: twice as strong as it was made."""


def check_sampling(sampling: Sampling | None) -> None:
    """Raises NotAllowed for a number outside the range that the settings declare for it, NaN among them."""
    for name, value in msgspec.structs.asdict(sampling).items() if sampling is not None else ():
        option = _declared()[name]
        assert option.minimum is not None
        assert option.maximum is not None
        if not (value is None and option.optional) and not option.minimum <= value <= option.maximum:
            raise NotAllowed(f"{option.label} is a number from {option.minimum:g} to {option.maximum:,g}.")


def check_scales(adapters: Iterable[Adapter] | None) -> None:
    """Raises NotAllowed for an adapter that is not laid over the model from 0 to MOST times, NaN among them."""
    if not all(0 <= adapter.scale <= MOST for adapter in adapters or ()):
        raise NotAllowed(f"The scale of an adapter is a number from 0 to {MOST:g}.")


@functools.cache
def _declared() -> dict[str, Option]:
    return {option.name.removeprefix("generation."): option for option in options()}
