"""What the Hub has: searching, one repository with its files, its card. No call waits for better times or tries again.

The caller holds an action of the gate; whoever cancels that action ends the request. What the server cannot filter by
(families, capabilities) is filtered here, page by page: a page may hold few models or none and still have a next one.
"""

from __future__ import annotations

import re
from urllib.parse import quote

from app.hub.answers import (
    commit_of,
    decoded,
    files_of,
    summaries,
    summary,
    text_field,
    without_front_matter,
)
from app.hub.client import HubClient
from app.hub.errors import NotFound, not_understood
from app.hub.families import family, family_named
from app.hub.licences import Licences
from app.hub.names import Kind, is_repo, kind
from app.hub.values import LeftOut, ModelPage, ModelSummary, RemoteFile, SearchPage, SearchQuery, Sort
from app.hub.variants import arrange

PAGE = 50
MAX_TEXT = 200
LIST_BYTES = 16 * 1024 * 1024
MODEL_BYTES = 24 * 1024 * 1024
CARD_BYTES = 1024 * 1024
MAX_TREE_PAGES = 20
MAIN = "main"

_SORTS = {Sort.TRENDING: "trendingScore", Sort.DOWNLOADS: "downloads", Sort.LIKES: "likes", Sort.NEWEST: "createdAt"}
_EXPAND = (
    "gguf", "gated", "private", "downloads", "likes", "lastModified", "createdAt", "tags", "pipeline_tag", "siblings",
)  # fmt: skip
_REVISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,199}\Z", re.ASCII)


class Catalog:
    """Thread-safe. All methods raise HubError and NetworkError."""

    def __init__(self, client: HubClient, licences: Licences) -> None:
        self._client = client
        self._licences = licences

    def search(self, query: SearchQuery, cursor: str = "") -> SearchPage:
        """The models of one page of the Hub that match; `cursor` is that of the page before."""
        answer = self._client.get("/api/models", cursor or _params(query), limit_bytes=LIST_BYTES)
        found = summaries(answer.body)
        following = answer.cursor if answer.cursor != cursor else ""  # a page that names itself as its next
        return SearchPage(models=tuple(model for model in found if matches(query, model)), cursor=following)

    def model(self, repo: str, revision: str = "") -> ModelPage:
        """Everything about a repository at a branch, a tag or a commit ('' is the main branch)."""
        path = _api(repo)
        if revision and revision != MAIN:
            path += f"/revision/{_quoted_revision(repo, revision)}"
        row = self._object(path, [("blobs", "true")], repo)
        if "gguf" not in row:
            row["gguf"] = self._object(_api(repo), [("expand", "gguf")], repo).get("gguf")
        about, commit = summary(row, repo), commit_of(row)
        if about is None or not commit:
            raise not_understood("no name or no commit")
        files, unusable = files_of(row.get("siblings"))
        if any(not file.size_bytes and kind(file.path) is not Kind.OTHER for file in files):
            files, unusable = self._tree(repo, commit)
        return self._page(about, commit, row, files, unusable)

    def card(self, repo: str, revision: str = "") -> str:
        """The model card as Markdown without its front matter; '' when there is none. A very long one is cut."""
        where = quote(_checked(repo))
        path = f"/{where}/resolve/{_quoted_revision(repo, revision or MAIN)}/README.md"
        try:
            answer = self._client.get(path, limit_bytes=CARD_BYTES, repo=repo, cut=True, file=True)
        except NotFound:
            return ""
        text = without_front_matter(answer.body.decode("utf-8", "replace").replace("\0", ""))
        return text if answer.whole else text.rpartition("\n")[0] + "\n\n…\n"

    def newer(self, repo: str, commit: str) -> str:
        """The commit of the main branch if it is another one than `commit`, else ''."""
        found = commit_of(self._object(_api(repo), [("expand", "sha")], repo))
        if not found:
            raise not_understood("no commit")
        return found if found != commit else ""

    def _object(self, path: str, params: list[tuple[str, str]], repo: str) -> dict[str, object]:
        row = decoded(self._client.get(path, params, limit_bytes=MODEL_BYTES, repo=repo).body)
        if not isinstance(row, dict):
            raise not_understood("no object")
        return row

    def _tree(self, repo: str, commit: str) -> tuple[list[RemoteFile], list[LeftOut]]:
        """Sizes and hashes the longer way, for a mirror that does not know `blobs`."""
        files: list[RemoteFile] = []
        left_out: list[LeftOut] = []
        params: list[tuple[str, str]] | str = [("recursive", "true")]
        seen: set[str] = set()
        for _ in range(MAX_TREE_PAGES):
            answer = self._client.get(f"{_api(repo)}/tree/{commit}", params, limit_bytes=MODEL_BYTES, repo=repo)
            more, unusable = files_of(decoded(answer.body))
            files += more
            left_out += unusable
            if not answer.cursor or answer.cursor in seen:
                break
            seen.add(answer.cursor)
            params = answer.cursor
        return files, left_out

    def _page(
        self,
        about: ModelSummary,
        commit: str,
        row: dict[str, object],
        files: list[RemoteFile],
        unusable: list[LeftOut],
    ) -> ModelPage:
        arranged = arrange(files, about.params, about.architecture)
        licence = self._licences.explain(
            about.license,
            name=text_field(row, "cardData", "license_name"),
            link=text_field(row, "cardData", "license_link"),
            repository=self._client.page(about.repo),
        )
        return ModelPage(
            summary=about,
            commit=commit,
            variants=arranged.variants,
            projectors=arranged.projectors,
            others=arranged.others,
            left_out=(*arranged.left_out, *unusable),
            license_name=licence.name,
            license_words=licence.words,
            license_link=licence.link,
        )


def matches(query: SearchQuery, model: ModelSummary) -> bool:
    """Whether a model is among those asked for, as far as its row tells. The text is left to the Hub."""
    if query.family and family(model.architecture, model.repo, model.base_model).lower() != query.family.lower():
        return False
    if query.min_params and model.params < query.min_params:
        return False
    if query.max_params and not 0 < model.params <= query.max_params:
        return False
    if query.license and model.license != query.license:
        return False
    if query.gated is not None and bool(model.gated) is not query.gated:
        return False
    return set(query.capabilities) <= set(model.capabilities)


def _params(query: SearchQuery) -> list[tuple[str, str]]:
    params = [("filter", "gguf")]
    if query.license:
        params.append(("filter", f"license:{query.license}"))
    known = family_named(query.family)
    text = " ".join(query.text[:MAX_TEXT].split()) or (known.search if known else "")
    if text:
        params.append(("search", text))
    least, most = query.min_params, query.max_params
    if least or most:
        bounds = ([f"min:{_in_billions(least)}"] if least else []) + ([f"max:{_in_billions(most)}"] if most else [])
        params.append(("num_parameters", ",".join(bounds)))
    if query.gated is not None:
        params.append(("gated", "true" if query.gated else "false"))
    params += [("sort", _SORTS[query.sort]), ("limit", str(PAGE))]
    return params + [("expand", name) for name in _EXPAND]


def _in_billions(count: int) -> str:
    return f"{count / 1e9:.3f}".rstrip("0").rstrip(".") + "B"


def _checked(repo: str) -> str:
    if not is_repo(repo):
        raise NotFound(f"“{repo[:100]}” is not a name on Hugging Face: it is written owner/name.", detail="repo name")
    return repo


def _api(repo: str) -> str:
    return f"/api/models/{quote(_checked(repo))}"


def _quoted_revision(repo: str, revision: str) -> str:
    if not _REVISION.match(revision) or ".." in revision:
        raise NotFound(f"{repo} has no such version.", detail="revision name")
    return quote(revision, safe="")
