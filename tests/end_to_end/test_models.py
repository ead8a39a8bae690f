"""A person looks for a model, gets it, sees it among the others and talks with it. The Hub is one on loopback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Start
from tests.end_to_end.window import ended
from tests.support import tiny_models
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
