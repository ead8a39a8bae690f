"""Which version is recommended, and what is said of where it runs."""

from __future__ import annotations

import msgspec
import pytest

from app.engine.hardware import Fit, MemoryPlan, Verdict
from app.hub.values import ModelPage, ModelSummary, RemoteFile, Variant
from app.services.advice import recommended, where

PLAN = MemoryPlan(n_ctx=8192, n_gpu_layers=0, exact=False, shares=())


def fit(verdict: Verdict, why: str = "So it is.", *, now: bool = True) -> Fit:
    return Fit(plan=PLAN, verdict=verdict, max_ctx=8192, tokens_per_s=5.0, ttft_s=1.0, why=why, fits_now=now)


def variant(name: str, size_bytes: int, quality: str = "") -> Variant:
    file = RemoteFile(path=f"{name}.gguf", size_bytes=size_bytes)
    return Variant(label=name, name=name, files=(file,), bits_per_weight=4.9, quality=quality)


LARGE, USUAL, SMALL = variant("Q8_0", 8_000), variant("Q4_K_M", 5_000, "Best balance"), variant("Q2_K", 3_000)
PAGE = ModelPage(summary=ModelSummary(repo="a/b"), commit="1", variants=(LARGE, USUAL, SMALL))


def test_the_usual_one_where_it_fits() -> None:
    assert recommended(PAGE, USUAL, {})[0] == "Q4_K_M"
    name, why = recommended(PAGE, USUAL, {one.name: fit(Verdict.MEMORY) for one in PAGE.variants})
    assert name == "Q4_K_M"
    assert "best balance" in why
    assert why.endswith("So it is.")


def test_the_largest_that_fits_where_it_does_not() -> None:
    fits = {"Q8_0": fit(Verdict.NO), "Q4_K_M": fit(Verdict.NO), "Q2_K": fit(Verdict.MEMORY, "It just fits.")}
    name, why = recommended(PAGE, USUAL, fits)
    assert name == "Q2_K"
    assert "largest that fits here" in why
    assert why.endswith("It just fits.")


def test_none_where_none_fits() -> None:
    name, why = recommended(PAGE, USUAL, {one.name: fit(Verdict.NO, "Too much.") for one in PAGE.variants})
    assert name == ""
    assert why == "None of its versions fits this computer. Too much."
    assert recommended(PAGE, None, {}) == ("", "")


def test_the_only_one_needs_no_reason() -> None:
    alone = msgspec.structs.replace(PAGE, variants=(USUAL,))
    assert recommended(alone, USUAL, {}) == ("Q4_K_M", "")
    assert recommended(alone, USUAL, {"Q4_K_M": fit(Verdict.GPU)}) == ("Q4_K_M", "So it is.")


@pytest.mark.parametrize(
    ("verdict", "now", "graphics", "said"),
    [
        (Verdict.GPU, True, True, ("Fits", "moss")),
        (Verdict.MEMORY, True, False, ("Fits", "moss")),
        (Verdict.MEMORY, True, True, ("In memory", "moss")),
        (Verdict.PARTLY, True, True, ("Partly", "ochre")),
        (Verdict.MEMORY, False, False, ("Tight", "ochre")),
        (Verdict.NO, True, True, ("Too large", "rose")),
    ],
)
def test_where_it_runs(verdict: Verdict, now: bool, graphics: bool, said: tuple[str, str]) -> None:
    assert where(fit(verdict, now=now), graphics=graphics) == said
