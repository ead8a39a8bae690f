"""What the Hub's API says of repositories, as plain values for JSON. No sockets.

Shapes are those of the real Hub as huggingface_hub 2.4.0 (hf_api.py) and huggingface.js (packages/hub/src/lib) read
them.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable
from typing import Any

from tests.support.hub.repository import HubFile, Repository

TREE_PAGE = 1000
_SORTED_BY = {
    "trendingScore": lambda repository: repository.trending,
    "downloads": lambda repository: repository.downloads,
    "likes": lambda repository: repository.likes,
    "createdAt": lambda repository: repository.created_at,
    "lastModified": lambda repository: repository.last_modified,
}


def found(repositories: Iterable[Repository], query: dict[str, list[str]], may_see: bool) -> list[Repository]:
    """The repositories that a list's query asks for, in its order."""
    matching = [one for one in repositories if (may_see or not one.private) and _matches(one, query)]
    key = _SORTED_BY.get(query.get("sort", ["trendingScore"])[0], _SORTED_BY["trendingScore"])
    return sorted(matching, key=key, reverse=query.get("direction", ["-1"])[0] != "1")


def row(repository: Repository, query: dict[str, list[str]], *, listed: bool) -> dict[str, Any]:
    """One repository. `expand` gives these alone; a list without `full` leaves out what a single answer has."""
    blobs = query.get("blobs", [""])[0].lower() in ("true", "1")
    everything: dict[str, Any] = {
        "author": repository.owner,
        "gated": repository.gated or False,
        "disabled": repository.disabled,
        "lastModified": repository.last_modified,
        "createdAt": repository.created_at,
        "likes": repository.likes,
        "downloads": repository.downloads,
        "downloadsAllTime": repository.downloads * 7,
        "trendingScore": repository.trending,
        "private": repository.private,
        "sha": repository.commit,
        "tags": tags(repository),
        "pipeline_tag": repository.pipeline_tag,
        "library_name": repository.library_name,
        "cardData": card_data(repository),
        "gguf": repository.gguf or None,
        "usedStorage": sum(file.size for file in repository.files.values()),
        "siblings": [sibling(path, file, blobs=blobs) for path, file in sorted(repository.files.items())],
    }
    basis = {"_id": hashlib.sha1(repository.id.encode()).hexdigest()[:24], "id": repository.id}
    if "expand" in query:
        wanted = [name for value in query["expand"] for name in value.split(",")]
        return basis | {name: everything[name] for name in wanted if everything.get(name) is not None}
    basis["modelId"] = repository.id
    if listed and "full" not in query:
        left = ("author", "gated", "disabled", "lastModified", "sha", "siblings", "cardData", "gguf")
        everything = {name: value for name, value in everything.items() if name not in left}
    everything.pop("downloadsAllTime", None)
    return basis | {name: value for name, value in everything.items() if value is not None}


def tags(repository: Repository) -> list[str]:
    """With those that the Hub adds by itself."""
    given = list(repository.tags)
    if any(path.lower().endswith(".gguf") for path in repository.files):
        given.append("gguf")
    if repository.base_model:
        given += [f"base_model:{repository.base_model}", f"base_model:quantized:{repository.base_model}"]
    return [*dict.fromkeys([*given, "region:us"])]


def card_data(repository: Repository) -> dict[str, Any] | None:
    """What stands in the front matter of the card."""
    named = next((tag[8:] for tag in tags(repository) if tag.startswith("license:")), "")
    data: dict[str, Any] = {"license": named} if named else {}
    if repository.base_model:
        data["base_model"] = [repository.base_model]
    return (data | repository.card_data) or None


def sibling(path: str, file: HubFile, *, blobs: bool) -> dict[str, Any]:
    """A file as a repository's answer names it: the name alone, or with `blobs` its size and hashes."""
    named: dict[str, Any] = {"rfilename": path}
    if blobs:
        named |= {"blobId": file.oid, "size": file.size}
        if file.lfs:
            named["lfs"] = {"sha256": file.sha256, "size": file.size, "pointerSize": file.pointer_size}
    return named


def entry(path: str, file: HubFile) -> dict[str, Any]:
    """A file as a tree names it."""
    named: dict[str, Any] = {"type": "file", "oid": file.oid, "size": file.size, "path": path}
    if file.lfs:
        named["lfs"] = {"oid": file.sha256, "size": file.size, "pointerSize": file.pointer_size}
        named["xetHash"] = file.xet_hash
    return named


def tree(repository: Repository, below: str, *, recursive: bool) -> list[dict[str, Any]] | None:
    """Files and folders below a folder ('' is the top); None when there is no such folder."""
    prefix = f"{below}/" if below else ""
    entries: dict[str, dict[str, Any]] = {}
    for path, file in sorted(repository.files.items()):
        if not path.startswith(prefix):
            continue
        folders = path.removeprefix(prefix).split("/")[:-1]
        for depth in range(1, len(folders) + 1) if recursive else range(1, min(2, len(folders) + 1)):
            folder = prefix + "/".join(folders[:depth])
            oid = hashlib.sha1(folder.encode()).hexdigest()
            entries.setdefault(folder, {"type": "directory", "oid": oid, "size": 0, "path": folder})
        if recursive or not folders:
            entries[path] = entry(path, file)
    return list(entries.values()) if entries or not below else None


def refs(repository: Repository) -> dict[str, Any]:
    """Branches and tags."""
    branches = {"main": repository.commit} | repository.refs
    listed = [{"name": name, "ref": f"refs/heads/{name}", "targetCommit": commit} for name, commit in branches.items()]
    return {"branches": listed, "converts": [], "tags": []}


def page_of(items: list[Any], query: dict[str, list[str]], size: int) -> tuple[list[Any], str]:
    """The items of this page and the cursor of the next ('' is the end)."""
    given = query.get("cursor", [""])[0]
    start = int(json.loads(base64.urlsafe_b64decode(given))["from"]) if given else 0
    following = base64.urlsafe_b64encode(json.dumps({"from": start + size}).encode()).decode()
    return items[start : start + size], following if start + size < len(items) else ""


def _matches(repository: Repository, query: dict[str, list[str]]) -> bool:
    labels = set(tags(repository))
    asked = [name for value in query.get("filter", []) for name in value.split(",")]
    if not set(asked) <= labels | {repository.pipeline_tag}:
        return False
    if any(word.lower() not in repository.id.lower() for word in query.get("search", [""])[0].split()):
        return False
    if "author" in query and repository.owner.lower() != query["author"][0].lower():
        return False
    if "apps" in query and "gguf" not in labels:
        return False
    if "pipeline_tag" in query and repository.pipeline_tag != query["pipeline_tag"][0]:
        return False
    if "gated" in query and bool(repository.gated) is not (query["gated"][0].lower() == "true"):
        return False
    return _size_matches(int(repository.gguf.get("total", 0)), query.get("num_parameters", [""])[0])


def _size_matches(total: int, bounds: str) -> bool:
    for bound in filter(None, bounds.split(",")):
        name, _, value = bound.partition(":")
        count = float(value[:-1]) * {"K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}[value[-1]]
        if not total or (total < count if name == "min" else total > count):
            return False
    return True
