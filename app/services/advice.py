"""Which version of a model suits this computer, and why, in a sentence. Pure functions over values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from app.base.sizes import size_words
from app.engine.hardware import Fit, Verdict
from app.hub.values import FirstChoice, ModelPage, Variant
from app.hub.variants import pick

BALANCE = "Best balance"
MOST_NAMES = 30


def recommended(page: ModelPage, usual: Variant | None, fits: Mapping[str, Fit]) -> tuple[str, str]:
    """The name of one version and the reason; '' and the reason when none is recommended. `usual` is the one most
    people take; `fits` are the outlooks by name, perhaps none at all."""
    if usual is None:
        return "", ""
    alone = len(page.variants) == 1
    here = fits.get(usual.name)
    if here is None:
        return usual.name, "" if alone else f"{usual.name} is recommended: {_quality(usual)}."
    if here.fits:
        if alone:
            return usual.name, here.why
        return usual.name, f"{usual.name} is recommended: {_quality(usual)}. {here.why}".strip()
    able = [one for one in page.variants if one.name in fits and fits[one.name].fits]
    if not able:
        return "", f"None of its versions fits this computer. {here.why}".strip()
    best = max(able, key=lambda one: one.size_bytes)
    why = fits[best.name].why
    return best.name, f"{best.name} is recommended: the largest that fits here, {size_words(best.size_bytes)}. {why}"


def gone(choice: str) -> str:
    """What to say where a first choice names a version that its repository has no more."""
    return f"{choice}, the first choice here, is not there any more."


def no_version(page: ModelPage, wanted: str, choices: Iterable[FirstChoice]) -> str:
    """Why `wanted` names no version of a repository alone, and what there is. `choices` are the first choices."""
    repo, usual = page.summary.repo, pick(page.variants)
    if usual is None:
        return f"{repo} has no model file that Inglenook can use."
    asked = wanted.strip().lower()
    meant = [one.name for one in page.variants if asked in one.name.lower()]
    if len(meant) > 1:
        return f"{repo} has several that “{wanted}” may mean: {', '.join(meant[:MOST_NAMES])}."
    was = any((one.repo, one.label.lower()) == (repo, asked) for one in choices)
    names = ", ".join(one.name for one in page.variants[:MOST_NAMES])
    no_more = " any more, which was a first choice" if was else ""
    return f"{repo} has no {wanted}{no_more}. It has: {names}. Without a name {usual.name} is taken."


def where(fit: Fit, *, graphics: bool) -> tuple[str, str]:
    """Where a model runs in a word or two, and how good that is: moss, ochre or rose. `graphics`: there is a graphics
    card, so that running without it is worth a word."""
    if not fit.fits:
        return "Too large", "rose"
    if not fit.fits_now:
        return "Tight", "ochre"
    if fit.verdict is Verdict.PARTLY:
        return "Partly", "ochre"
    return ("In memory" if graphics and fit.verdict is Verdict.MEMORY else "Fits"), "moss"


def _quality(variant: Variant) -> str:
    if variant.quality == BALANCE:
        return "the best balance between size and closeness to the original"
    return f"{variant.quality[:1].lower()}{variant.quality[1:]}" if variant.quality else "what most people take"
