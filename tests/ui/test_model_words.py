"""Models and downloads in words."""

from __future__ import annotations

import pytest

from app.hub.values import Capability, Download, DownloadState, ModelSummary, RemoteFile
from app.services.changes import DownloadProgressed
from app.ui import model_words


@pytest.mark.parametrize(
    ("repo", "name"),
    [("Qwen/Qwen3-8B-GGUF", "Qwen3 8B"), ("a/b_c.gguf", "b c"), ("plain", "plain"), ("x/-GGUF", "x/-GGUF")],
)
def test_names(repo: str, name: str) -> None:
    assert model_words.model_name(repo) == name


@pytest.mark.parametrize(
    ("count", "words"), [(0, ""), (500, "1 M"), (134_515_008, "135 M"), (8_190_735_360, "8.2 B"), (4 * 10**11, "400 B")]
)
def test_parameters(count: int, words: str) -> None:
    assert model_words.billions(count) == words


def test_what_it_can_do() -> None:
    able = (Capability.TOOLS, Capability.VISION)
    assert model_words.abilities(able) == "Reads pictures, calls tools."
    assert model_words.abilities(()) == ""
    assert model_words.good_for(able) == "Chat, pictures, tools"
    assert model_words.parameters_words(8_190_735_360) == "8.2 billion"
    assert model_words.popularity(ModelSummary(repo="a/b", downloads=1, likes=1_400_000)) == "1 download, 1.4M likes"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (3, "less than a minute left"),
        (61, "1 minute left"),
        (162, "3 minutes left"),
        (4000, "1 hour 7 minutes left"),
        (30_000, "8 hours left"),
        (400_000, "5 days left"),
    ],
)
def test_time_left(seconds: float, words: str) -> None:
    assert model_words.time_left(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.01, "0.1 seconds"), (1.0, "1 second"), (2.44, "2.4 seconds"), (31, "31 seconds"),
                           (200, "3 minutes")],
)  # fmt: skip
def test_pauses(seconds: float, words: str) -> None:
    assert model_words.pause(seconds) == words


def test_moments_that_cannot_be() -> None:
    assert model_words.month_words(0) == ""
    assert model_words.month_words(1 << 62) == ""
    assert model_words.month_words(1_746_500_000_000) == "May 2025"


def test_shares_never_claim_the_end_too_early() -> None:
    assert model_words.percent(999, 1000) == 99
    assert model_words.percent(9_999_999, 10_000_000) == 99
    assert model_words.percent(10, 10) == 100
    assert model_words.percent(1, 0) == 0


def download(state: DownloadState, done: int = 0, sentence: str = "") -> Download:
    file = RemoteFile(path="x.gguf", size_bytes=2_000_000_000)
    return Download(
        id="d", endpoint="", repo="a/b", commit="", label="Q4", files=(file,), folder="", state=state, done_bytes=done,
        sentence=sentence,
    )  # fmt: skip


def test_lines_of_downloads() -> None:
    running = download(DownloadState.RUNNING, 800_000_000)
    assert model_words.state_line(running, None) == "800 MB of 2.0 GB"
    figures = DownloadProgressed(id="d", done_bytes=800_000_000, size_bytes=2_000_000_000, bytes_per_s=400_000)
    assert model_words.state_line(running, figures) == "800 MB of 2.0 GB, 400 kB/s"
    said = download(DownloadState.RUNNING, 1_000_000_000, "The network is away; it goes on by itself.")
    assert model_words.state_line(said, figures).endswith("it goes on by itself.")
    assert model_words.state_line(download(DownloadState.WAITING), None) == "2.0 GB. Starts in a moment."
    waits = download(DownloadState.WAITING, 500_000_000, "Waits until Inglenook may go online.")
    assert model_words.state_line(waits, None) == "500 MB of 2.0 GB. Waits until Inglenook may go online."
    assert model_words.state_words(download(DownloadState.PAUSED)) == "Paused"
    assert model_words.amounts(3_117_000_000, 5_027_000_000) == "3.1 of 5.0 GB"
    assert model_words.speed(123_400_000) == "123 MB/s"
