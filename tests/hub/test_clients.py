"""The Hub on loopback seen by huggingface_hub itself, through the gate, with its own extra calls off.

Each test runs huggingface_hub in a process of its own, as `prepare` must come before anybody imports it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.hub.client import SWITCHES
from tests.support.hub.repository import Repository
from tests.support.hub.samples import crowd, qwen
from tests.support.hub.server import GOOD_TOKEN, Hub

PRELUDE = """
import json, sys
from app.privacy.gate import Gate
from app.privacy.policy import Policy, Purpose
from app.hub.client import prepare
gate = Gate(lambda: Policy(online=True, hub=sys.argv[1], token_hosts=(sys.argv[1].removeprefix("http://"),)))
prepare(gate)
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.utils import get_session
assert get_session() is gate.client()
def kind(function, *arguments, **options):
    try:
        function(*arguments, **options)
    except HfHubHTTPError as error:
        return type(error).__name__
    return ""
api = HfApi(endpoint=sys.argv[1], token=sys.argv[2] or False)
with gate.action(Purpose.MODEL, "Test"):
"""


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    with Hub([qwen(tmp_path), *crowd(30)]) as hub:
        yield hub  # type: ignore[misc]


def _run(hub: Hub, body: str, token: str = "") -> Any:
    code = PRELUDE + "\n".join(f"    {line}" for line in body.strip().splitlines()) + "\ngate.close()"
    done = subprocess.run(
        [sys.executable, "-c", code, hub.url, token], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_lists_pages_filters_and_expand(hub: Hub) -> None:
    found = _run(
        hub,
        """
everything = [model.id for model in api.list_models(filter="gguf", limit=None)]
paged = [model.id for model in api.list_models(filter="gguf", sort="downloads", limit=25, expand=["gguf", "downloads"])]
one = next(iter(api.list_models(search="Qwen3", expand=["gguf", "siblings", "gated", "tags", "lastModified"])))
sizes = [model.id for model in api.list_models(num_parameters="min:4B,max:8B", limit=100)]
print(json.dumps({
    "all": len(set(everything)), "paged": paged, "sizes": len(sizes), "gguf": one.gguf["total"],
    "siblings": len(one.siblings), "gated": len(list(api.list_models(gated=True))),
    "author": len(list(api.list_models(author="acme"))), "apps": len(list(api.list_models(apps="llama.cpp"))),
    "modified": one.last_modified.isoformat(),
}))
""",
    )
    assert found["all"] == found["apps"] == 31
    assert found["paged"][:2] == ["acme/Qwen3-8B-GGUF", "crowd0/Llama-3.2-3B-n0000-GGUF"]
    assert len(found["paged"]) == 25
    assert (found["gguf"], found["siblings"], found["gated"], found["author"]) == (8_190_735_360, 13, 3, 1)
    assert found["modified"].startswith("2026-05-06T07:08:09")
    assert found["sizes"] == sum(4e9 <= one.gguf["total"] <= 8e9 for one in hub.repositories.values())


def test_a_repository_its_tree_and_its_refs(hub: Hub) -> None:
    found = _run(
        hub,
        """
name = "acme/Qwen3-8B-GGUF"
info = api.model_info(name, files_metadata=True)
tree = list(api.list_repo_tree(name, recursive=True))
top = [entry.path for entry in api.list_repo_tree(name)]
paths = api.get_paths_info(name, ["Qwen3-8B-Q2_K.gguf", "no-such-file"])
refs = api.list_repo_refs(name)
print(json.dumps({
    "sha": info.sha, "sizes": {file.rfilename: file.size for file in info.siblings},
    "sha256": {file.rfilename: file.lfs.sha256 for file in info.siblings if file.lfs},
    "tree": {entry.path: entry.size for entry in tree if hasattr(entry, "size")}, "top": top,
    "lfs": {entry.path: entry.lfs.sha256 for entry in tree if getattr(entry, "lfs", None)},
    "paths": [[entry.path, entry.size] for entry in paths], "main": refs.branches[0].target_commit,
    "license": info.card_data.license, "revision": api.model_info(name, revision=info.sha).sha,
}))
""",
    )
    repository = hub.repositories["acme/Qwen3-8B-GGUF"]
    sizes = {path: file.size for path, file in repository.files.items()}
    assert found["sha"] == found["main"] == found["revision"] == repository.commit
    assert found["sizes"] == found["tree"] == sizes
    assert found["sha256"] == found["lfs"]
    assert "BF16" in found["top"]
    assert "BF16/Qwen3-8B-BF16-00001-of-00002.gguf" not in found["top"]
    assert found["paths"] == [["Qwen3-8B-Q2_K.gguf", 3_281_000_000]]
    assert found["license"] == "apache-2.0"


def test_refusals_have_the_names_that_it_knows(hub: Hub) -> None:
    hub.add(Repository(id="acme/mine", files={"x.gguf": b"GGUF"}, private=True))
    hub.add(Repository(id="acme/shut", files={"x.gguf": b"GGUF"}, disabled=True))
    body = """
print(json.dumps([
    kind(api.model_info, "no/such"), kind(api.model_info, "acme/mine"), kind(api.model_info, "acme/shut"),
    kind(api.model_info, "acme/Qwen3-8B-GGUF", revision="nothing"), kind(api.whoami),
]))
"""
    without = _run(hub, body.replace(", kind(api.whoami)", ""))
    assert without == [
        "RepositoryNotFoundError",
        "RepositoryNotFoundError",
        "DisabledRepoError",
        "RevisionNotFoundError",
    ]
    with_token = _run(hub, body, GOOD_TOKEN)
    assert with_token == ["RepositoryNotFoundError", "", "DisabledRepoError", "RevisionNotFoundError", ""]
    hub.left = 0
    assert _run(hub, 'print(json.dumps(kind(api.model_info, "acme/Qwen3-8B-GGUF")))') == "HfHubHTTPError"


def test_nothing_else_is_asked_and_nothing_is_told(hub: Hub) -> None:
    _run(hub, 'api.model_info("acme/Qwen3-8B-GGUF"); print("1")')
    assert [seen.path for seen in hub.seen] == ["/api/models/acme/Qwen3-8B-GGUF"]
    assert "Authorization" not in {name.title() for name in hub.seen[0].headers}


def test_too_late_is_told(hub: Hub) -> None:
    code = "import huggingface_hub.constants, app.hub.client as c, app.privacy.gate as g, app.privacy.policy as p\n"
    code += "c.prepare(g.Gate(lambda: p.Policy()))"
    loud = {name: value for name, value in os.environ.items() if name not in SWITCHES}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False, env=loud
    )
    assert "imported before its switches were set" in done.stderr
