"""A load plan that worked, as the outside sees it. Apart from the queries, so that its import costs nothing."""

from __future__ import annotations

import msgspec

from app.engine.values import LoadOptions


class KeptPlan(msgspec.Struct, frozen=True, kw_only=True):
    """How a model was loaded the last time it worked. `machine` names for what it holds.

    `stepped_down`: the sentence of the step that worked where the full plan did not. `by_person`: set by hand.
    """

    model_id: str
    machine: str
    options: LoadOptions
    stepped_down: str = ""
    by_person: bool = False
    made_ms: int = 0
