"""A person looks for a model, gets it, sees it among the others and talks with it. The Hub is one on loopback."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Start
from tests.end_to_end.window import ended
from tests.support import tiny_models
from tests.support.command import start as command
from tests.support.hub.repository import Repository
from tests.support.hub.samples import crowd, qwen
from tests.support.hub.server import Hub

CARD = """---
license: apache-2.0
---
# Tiny chat

A model for tests. ![a picture](https://example.org/x.png) It answers with **nonsense**.
"""
REPO = "acme/Tiny-Chat-GGUF"
MIB = 1 << 20


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    """Some repositories, one of them small enough to be got."""
    folder = tmp_path / "hub"
    folder.mkdir()
    tiny = tiny_models.dense(folder / "tiny-chat-F32.gguf")
    served = Hub([qwen(folder), *crowd(60)])
    served.add(
        Repository(
            REPO,
            {"tiny-chat-F32.gguf": tiny},
            card=CARD,
            tags=("license:apache-2.0",),
            gguf={"total": 500_000, "architecture": "llama", "context_length": 4096},
        )
    )
    yield served
    served.close()


@pytest.fixture
def choices(home: Path, hub: Hub) -> None:
    """Nothing is online yet; the endpoint is the one on loopback."""
    written = json.loads((home / "settings.json").read_text())
    written["generation"]["max_tokens"] = 8
    written["network"] = {"endpoint": hub.url}
    (home / "settings.json").write_text(json.dumps(written))


@pytest.mark.usefixtures("choices")
def test_from_the_search_to_the_first_answer(start: Start, home: Path, hub: Hub) -> None:
    window = start().ready()
    window.click("Models")
    window.shows("Go online to look further?")
    assert hub.seen == [], "nobody is asked before"
    window.click("Go online")
    window.click("Search models on Hugging Face")
    window.write("tiny chat")
    window.click("Tiny Chat. ")
    window.shows("Apache")
    window.shows("[a picture] It answers with nonsense.")
    window.click("Download F32")
    window.told("DownloadsChanged")
    window.until(lambda: list((home / "models").rglob("tiny-chat-F32.gguf")), "the file to be in its place")
    window.click("Models: On this computer")
    window.click("Tiny tiny-chat. ")
    window.shows("Models folder")
    window.screen.picture("models_library")
    window.click("Verify")
    window.shows("is unchanged: its sha256 is the one that is known.")
    window.click("Chat with it")
    window.told("EngineChanged", state="ready")
    window.send("Hello")
    ended(home, 1, "done")
    window.click("Models")
    window.click("Models: Downloads")
    window.shows("Finished")
    window.screen.picture("models_downloads")
    assert window.quit() == 0
    asked = {seen.path.partition("?")[0] for seen in hub.seen}
    assert "/api/models" in asked
    assert f"/api/models/{REPO}" in asked
    assert all("x.png" not in path for path in asked)


@pytest.mark.usefixtures("choices")
def test_the_window_and_a_command_get_one_model_together(
    start: Start, home: Path, hub: Hub, starter_model: Path
) -> None:
    """Whoever began fetches it; the other one follows, and every byte comes once."""
    hub.add(Repository("acme/Starter-GGUF", {"starter-Q4_1.gguf": starter_model}))
    hub.cdn.rate = 2 * MIB
    window = start().ready()
    window.click("Models")
    window.click("Go online")
    window.click("Search models on Hugging Face")
    window.write("starter")
    window.click("Starter. ")
    window.click("Download Q4_1")
    hub.cdn.wait_for(lambda cdn: cdn.served > MIB, 60.0)
    with command(home, "models", "pull", "acme/Starter-GGUF:Q4_1") as pulling:
        window.told("DownloadProgressed", 3)
        hub.cdn.rate = 0
        output, errors = pulling.communicate(timeout=60)
    assert (pulling.returncode, errors) == (0, b"")
    place = home / "models" / "acme" / "Starter-GGUF" / "starter-Q4_1.gguf"
    assert str(place) in output.decode()
    assert place.read_bytes() == starter_model.read_bytes()
    assert [one.name for one in place.parent.iterdir()] == [place.name]
    window.click("Models: Downloads")
    window.shows("Finished")
    assert hub.cdn.served < starter_model.stat().st_size * 1.2
    assert window.quit() == 0


@pytest.mark.usefixtures("choices")
def test_a_command_pauses_what_the_window_fetches(start: Start, home: Path, hub: Hub, starter_model: Path) -> None:
    """Ctrl+C means the same wherever the bytes come; the window goes on with it later."""
    hub.add(Repository("acme/Starter-GGUF", {"starter-Q4_1.gguf": starter_model}))
    hub.cdn.rate = 2 * MIB
    with command(home, "models", "pull", "acme/Starter-GGUF:Q4_1") as pulling:
        hub.cdn.wait_for(lambda cdn: cdn.served > MIB, 60.0)
        hub.cdn.rate = MIB // 8  # it does not end before the window is there
        window = start().ready()
        window.click("Models")
        window.click("Go online")
        window.click("Models: Downloads")
        window.shows("Starter")
        pulling.send_signal(signal.SIGINT)
        _, errors = pulling.communicate(timeout=60)
    assert pulling.returncode == 130
    assert errors.decode().startswith("inglenook: Paused at ")
    window.shows("Picks up where it stopped")
    served, hub.cdn.rate = hub.cdn.served, 0
    window.click("Go on with Starter")
    window.shows("Finished")
    assert hub.cdn.served - served < starter_model.stat().st_size
    assert window.quit() == 0
