"""Models, their downloads and where they lie, in words. Pure functions; no widget."""

from __future__ import annotations

import datetime
import os
import re
from collections.abc import Iterable
from pathlib import Path

from app.base.sizes import size_words
from app.engine.values import AdapterFile, Origin
from app.hub.values import Capability, Download, DownloadState, ModelSummary
from app.services.changes import DownloadProgressed

_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_CAN = {
    Capability.VISION: "reads pictures",
    Capability.TOOLS: "calls tools",
    Capability.REASONING: "can think first",
}
_GOOD_FOR = {Capability.VISION: "pictures", Capability.TOOLS: "tools", Capability.REASONING: "reasoning"}
_TAIL = re.compile(r"[-_. ]gguf\Z", re.IGNORECASE)

ORIGINS = {
    Origin.OWN: "Models folder",
    Origin.FOLDER: "Further folder",
    Origin.FILE: "Single file",
    Origin.LM_STUDIO: "LM Studio",
    Origin.OLLAMA: "Ollama",
    Origin.HUGGING_FACE: "Hugging Face cache",
    Origin.STARTER: "Came with Inglenook",
}


def home_short(path: str | Path) -> str:
    """A path with the home folder as ~."""
    home, text = str(Path.home()), str(path)
    return f"~{text[len(home) :]}" if len(home) > 1 and text.startswith(home + os.sep) else text


def model_name(repo: str) -> str:
    """A repository's name as people say it: without the account and the ending -GGUF, spaces for hyphens."""
    name = _TAIL.sub("", repo.partition("/")[2] or repo)
    return re.sub(r"[-_]+", " ", name).strip() or repo


def billions(count: int) -> str:
    """A parameter count beside a name: 8.2 B, 135 M; '' where it is unknown."""
    if count <= 0:
        return ""
    if count < 999_500_000:
        return f"{max(1, round(count / 1e6))} M"
    value = count / 1e9
    return f"{value:.1f} B" if value < 99.95 else f"{value:.0f} B"


def parameters_words(count: int) -> str:
    """The same in full: 8.2 billion, 135 million."""
    return billions(count).replace(" B", " billion").replace(" M", " million")


def month_words(moment_ms: int) -> str:
    """April 2025; '' where it is unknown."""
    if moment_ms <= 0:
        return ""
    try:
        then = datetime.datetime.fromtimestamp(moment_ms / 1000)
    except (OverflowError, OSError, ValueError):
        return ""
    return f"{_MONTHS[then.month - 1]} {then.year}"


def count_short(count: int) -> str:
    """How many times something happened: 321, 12k, 1.4M."""
    if count < 1000:
        return str(max(0, count))
    value, unit = (count / 1e3, "k") if count < 999_500 else (count / 1e6, "M")
    return f"{value:.1f}".removesuffix(".0") + unit if value < 9.95 else f"{value:.0f}{unit}"


def abilities(capabilities: Iterable[Capability]) -> str:
    """What a model can do beyond text, as a sentence: 'Reads pictures, calls tools.'; '' for none."""
    found = ", ".join(words for capability, words in _CAN.items() if capability in tuple(capabilities))
    return f"{found[0].upper()}{found[1:]}." if found else ""


def good_for(capabilities: Iterable[Capability]) -> str:
    """The same as a fact: 'Chat, pictures, tools'."""
    known = tuple(capabilities)
    return ", ".join(["Chat", *(words for capability, words in _GOOD_FOR.items() if capability in known)])


def popularity(summary: ModelSummary) -> str:
    """How many people took it: '120k downloads, 321 likes'."""
    downloads = "1 download" if summary.downloads == 1 else f"{count_short(summary.downloads)} downloads"
    likes = "1 like" if summary.likes == 1 else f"{count_short(summary.likes)} likes"
    return f"{downloads}, {likes}"


def joined(*parts: str) -> str:
    """The parts that say something, with commas."""
    return ", ".join(part for part in parts if part)


def adapter_facts(file: AdapterFile) -> str:
    """What an adapter was made for, and its size."""
    base = f"Made for {file.base}" if file.base else f"For {file.architecture} models" if file.architecture else ""
    return joined(base, size_words(file.size_bytes) if file.size_bytes else "")


def amounts(done_bytes: int, size_bytes: int) -> str:
    """So much of so much, with the unit once where it is the same: '3.1 of 5.0 GB', '800 MB of 2.0 GB'."""
    done, whole = size_words(done_bytes), size_words(size_bytes)
    number, _, unit = done.partition(" ")
    return f"{number} of {whole}" if whole.endswith(f" {unit}") else f"{done} of {whole}"


def percent(done_bytes: int, size_bytes: int) -> int:
    """How far, never 100 before it is all."""
    if size_bytes <= 0:
        return 0
    return 100 if done_bytes >= size_bytes else min(99, done_bytes * 100 // size_bytes)


def speed(bytes_per_s: float) -> str:
    """11.8 MB/s."""
    value = bytes_per_s / 1e6
    if value >= 99.95:
        return f"{value:.0f} MB/s"
    return f"{value:.1f} MB/s" if value >= 0.95 else f"{max(1, round(bytes_per_s / 1e3))} kB/s"


def time_left(seconds: float) -> str:
    """Roughly how long it still takes, rounded as people would."""
    if seconds < 50:
        return "less than a minute left"
    minutes = round(seconds / 60)
    if minutes < 60:
        return "1 minute left" if minutes == 1 else f"{minutes} minutes left"
    hours, rest = divmod(minutes, 60)
    if hours >= 48:
        return f"{round(hours / 24)} days left"
    tail = f" {rest} minutes" if rest and hours < 6 else ""
    return f"{hours} hour{'' if hours == 1 else 's'}{tail} left"


def pause(seconds: float) -> str:
    """A short while: 0.4 seconds, 3 seconds, 2 minutes."""
    if seconds < 9.95:
        value = f"{max(0.1, seconds):.1f}".removesuffix(".0")
        return "1 second" if value == "1" else f"{value} seconds"
    return f"{seconds:.0f} seconds" if seconds < 90 else f"{round(seconds / 60)} minutes"


def state_words(download: Download) -> str:
    """The state at the right of a row: '62 %', 'Checking', 'Paused at 18 %', 'Waiting'."""
    share = percent(download.done_bytes, download.size_bytes)
    match download.state:
        case DownloadState.RUNNING:
            return f"{share} %"
        case DownloadState.CHECKING:
            return "Checking"
        case DownloadState.PAUSED:
            return f"Paused at {share} %" if download.done_bytes else "Paused"
        case _:
            return "Waiting"


def state_line(download: Download, progress: DownloadProgressed | None, before: str = "") -> str:
    """The line below the bar. `before`: the name of the one that it waits for."""
    whole = size_words(download.size_bytes)
    amount = amounts(download.done_bytes, download.size_bytes)
    match download.state:
        case DownloadState.CHECKING:
            return f"{whole} arrived. Comparing its fingerprint before first use."
        case DownloadState.PAUSED:
            return f"{amount}. Picks up where it stopped, also after a restart."
        case DownloadState.RUNNING:
            if download.sentence:
                return f"{amount}. {download.sentence}"
            if progress is None or progress.bytes_per_s <= 0:
                return amount
            left = time_left(progress.remaining_s) if progress.remaining_s is not None else ""
            return joined(amount, speed(progress.bytes_per_s), left)
        case _:
            so_far = amount if download.done_bytes else whole
            if download.sentence:
                return f"{so_far}. {download.sentence}"
            return f"{so_far}. Starts when {before} is done." if before else f"{so_far}. Starts in a moment."
