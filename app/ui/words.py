"""Numbers, sizes and times as words. Pure functions; no widget."""

from __future__ import annotations

import datetime

from app.engine.values import ModelFile


def tokens_short(count: int) -> str:
    """A count of tokens as 640, 3.1k or 8k, in the same 1024s as a context length: a full window reads 8k of 8k."""
    if count < 1024:
        return str(count)
    rounded = f"{count / 1024:.1f}".removesuffix(".0") if count < 10 * 1024 else str(round(count / 1024))
    return f"{rounded}k"


def context_short(limit: int) -> str:
    """A context length as people say it: 8192 is 8k, 131072 is 128k."""
    return f"{limit // 1024}k" if limit >= 1024 else str(limit)


def size(size_bytes: int) -> str:
    """A size in decimal units, as file managers show it."""
    if size_bytes >= 1_000_000_000:
        return f"{size_bytes / 1e9:.1f} GB"
    return f"{max(1, round(size_bytes / 1e6))} MB"


def traffic(count_bytes: int) -> str:
    """So many bytes on a line: 0 B, 0.6 kB, 42 kB, 18 MB, 2.0 GB."""
    if count_bytes <= 0:
        return "0 B"
    for unit, factor in (("kB", 1e3), ("MB", 1e6), ("GB", 1e9)):
        value = count_bytes / factor
        if value < 9.95:
            return f"{max(0.1, value):.1f} {unit}"
        if value < 999.5:
            return f"{value:.0f} {unit}"
    return f"{count_bytes / 1e12:.1f} TB"


_MONTHS = ("Jan", "Feb", "March", "April", "May", "June", "July", "Aug", "Sept", "Oct", "Nov", "Dec")


def moment(moment_ms: int, today: datetime.date) -> str:
    """A moment in local time, as short as it stays clear: Today 14:02, 14 May 21:16, 14 May 2025."""
    then = datetime.datetime.fromtimestamp(moment_ms / 1000)
    clock = f"{then.hour:02}:{then.minute:02}"
    if then.date() == today:
        return f"Today {clock}"
    day = f"{then.day} {_MONTHS[then.month - 1]}"
    return f"{day} {clock}" if then.year == today.year else f"{day} {then.year}"


def parameters(count: int) -> str:
    """A parameter count: 135M, 8.0B."""
    return f"{count / 1e9:.1f}B" if count >= 1_000_000_000 else f"{round(count / 1e6)}M"


def greeting(hour: int) -> str:
    """What to say at that hour of the day (0..23)."""
    if 5 <= hour < 12:
        return "Good morning."
    if 12 <= hour < 18:
        return "Good afternoon."
    return "Good evening."


def day_group(then: datetime.date, today: datetime.date) -> str:
    """The heading a conversation of `then` stands under."""
    if then >= today:
        return "Today"
    if then == today - datetime.timedelta(days=1):
        return "Yesterday"
    return "Earlier"


def day_of(updated_ms: int) -> datetime.date:
    """The local day of a moment."""
    return datetime.datetime.fromtimestamp(updated_ms / 1000).date()


def model_version(model: ModelFile) -> str:
    """What stands small beside a model's name."""
    return model.quantization


def model_facts(model: ModelFile) -> str:
    """Quantization, size and parameters in one line."""
    facts = [model.quantization, size(model.size_bytes)]
    if model.n_params:
        facts.insert(1, f"{parameters(model.n_params)} parameters")
    return " · ".join(fact for fact in facts if fact)


STARTER_ORIGIN = "SmolLM2-135M-Instruct by Hugging Face, Apache-2.0"


def model_title(model: ModelFile) -> str:
    """A model's name for people: without the quantization, which stands beside it."""
    name = model.name.removesuffix(".gguf")
    for separator in (".", "-", "_"):
        name = name.removesuffix(f"{separator}{model.quantization}") if model.quantization else name
    return name
