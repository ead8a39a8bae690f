"""Load plans that worked."""

from __future__ import annotations

from app.engine.values import LoadOptions
from app.store.kept import KeptPlan
from app.store.store import Store

PLAN = KeptPlan(
    model_id="m",
    machine="16 GB",
    options=LoadOptions(n_ctx=4096, devices=("CUDA0", "CUDA1"), layers_on=(3, 4), type_k="q8_0", rpc=("h:1",)),
    stepped_down="Fewer layers.",
    by_person=True,
    made_ms=7,
)


def test_the_last_plan_of_a_model_is_kept_until_it_is_forgotten(store: Store) -> None:
    assert store.plans.get("m") is None
    store.plans.keep(KeptPlan(model_id="m", machine="8 GB", options=LoadOptions())).result()
    store.plans.keep(PLAN).result()
    assert store.plans.get("m") == PLAN
    assert store.plans.get("other") is None
    store.plans.forget("m").result()
    store.plans.forget("m").result()
    assert store.plans.get("m") is None


def test_a_plan_goes_with_its_model(store: Store) -> None:
    store.plans.keep(PLAN).result()
    store.models.remove("m").result()
    assert store.plans.get("m") is None
