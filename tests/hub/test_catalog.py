"""The catalogue against a Hub on loopback: what is asked, what is made of it, and what no answer may do."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.base.paths import resources
from app.hub import errors
from app.hub.catalog import CARD_BYTES, LIST_BYTES, PAGE, Catalog
from app.hub.client import HubClient
from app.hub.licences import Licences
from app.hub.values import Capability, SearchPage, SearchQuery, Sort
from app.privacy.errors import AnswerTooLarge, ConnectionFailed, Offline, Refused
from app.privacy.gate import Gate
from app.privacy.policy import Policy, Purpose
from tests.support.hub.files import Answer, Fault, Kind
from tests.support.hub.repository import Repository
from tests.support.hub.samples import crowd, qwen
from tests.support.hub.server import GOOD_TOKEN, Hub


class Desk:
    """A catalogue with its gate; every call within an action."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.online = True
        self.token = ""
        self.token_hosts: tuple[str, ...] = (hub.url.removeprefix("http://"),)
        self.gate = Gate(lambda: Policy(online=self.online, hub=hub.url, token_hosts=self.token_hosts))
        client = HubClient(self.gate, lambda: hub.url + "/", lambda: self.token, total_s=5)
        self.catalog = Catalog(client, Licences(resources()))

    def search(self, cursor: str = "", **query: Any) -> SearchPage:
        with self.gate.action(Purpose.SEARCH, "Search"):
            return self.catalog.search(SearchQuery(**query), cursor)

    def all(self, **query: Any) -> list[str]:
        page = self.search(**query)
        names = [model.repo for model in page.models]
        while page.cursor:
            page = self.search(page.cursor, **query)
            names += [model.repo for model in page.models]
        return names

    def model(self, repo: str, revision: str = "") -> Any:
        with self.gate.action(Purpose.MODEL, "Model"):
            return self.catalog.model(repo, revision)

    def card(self, repo: str, revision: str = "") -> str:
        with self.gate.action(Purpose.CARD, "Card"):
            return self.catalog.card(repo, revision)

    def newer(self, repo: str, commit: str) -> str:
        with self.gate.action(Purpose.UPDATE, "Newer"):
            return self.catalog.newer(repo, commit)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Hub([qwen(tmp_path), *crowd(120)]) as hub:
        made = Desk(hub)  # type: ignore[arg-type]
        yield made
        made.gate.close()


def test_a_row_says_what_a_list_shows(desk: Desk) -> None:
    (model,) = desk.search(text="qwen3 8b").models
    assert (model.repo, model.author, model.name) == ("acme/Qwen3-8B-GGUF", "acme", "Qwen3-8B-GGUF")
    assert (model.params, model.architecture, model.context_length) == (8_190_735_360, "qwen3", 40_960)
    assert (model.license, model.base_model, model.gated) == ("apache-2.0", "acme/Qwen3-8B", "")
    assert (model.downloads, model.likes, model.updated_ms) == (120_000, 321, 1_778_051_289_000)
    assert model.capabilities == (Capability.VISION, Capability.TOOLS, Capability.REASONING)


def test_pages_follow_each_other_and_end(desk: Desk) -> None:
    first = desk.search()
    assert len(first.models) == PAGE
    assert first.cursor
    names = desk.all()
    assert len(names) == len(set(names)) == 121


@pytest.mark.parametrize(
    ("sort", "first"),
    [
        (Sort.DOWNLOADS, "acme/Qwen3-8B-GGUF"),
        (Sort.TRENDING, "acme/Qwen3-8B-GGUF"),
        (Sort.LIKES, "acme/Qwen3-8B-GGUF"),
        (Sort.NEWEST, "acme/Qwen3-8B-GGUF"),
    ],
)
def test_sorting_is_the_servers(desk: Desk, sort: Sort, first: str) -> None:
    sent = {"downloads": "downloads", "trending": "trendingScore", "likes": "likes", "newest": "createdAt"}[sort]
    page = desk.search(sort=sort)
    assert f"sort={sent}&" in desk.hub.asked()[-1]
    keys = {
        Sort.DOWNLOADS: lambda model: model.downloads,
        Sort.LIKES: lambda model: model.likes,
        Sort.TRENDING: lambda model: desk.hub.repositories[model.repo].trending,
        Sort.NEWEST: lambda model: desk.hub.repositories[model.repo].created_at,
    }
    values = [keys[sort](model) for model in page.models]
    assert values == sorted(values, reverse=True)


def test_filters_of_the_server_and_of_our_own(desk: Desk) -> None:
    assert len(desk.all(family="Mistral")) == 30
    assert len(desk.all(family="llama")) == 30
    assert "search=llama" in desk.hub.asked()[-1]
    assert len(desk.all(license="mit")) == 30
    assert "filter=license%3Amit" in desk.hub.asked()[-1]
    assert len(desk.all(min_params=4_000_000_000)) == 31
    assert "num_parameters=min%3A4B" in desk.hub.asked()[-1]
    assert len(desk.all(max_params=3_500_000_000)) == 30
    assert len(desk.all(gated=True)) == 12
    assert len(desk.all(gated=False)) == 109
    assert len(desk.all(capabilities=(Capability.VISION,))) == 31
    assert desk.all(capabilities=(Capability.TOOLS, Capability.REASONING)) == ["acme/Qwen3-8B-GGUF"]


def test_every_list_asks_for_gguf_only(desk: Desk) -> None:
    desk.hub.add(Repository(id="acme/safetensors-only", files={"model.safetensors": b"x"}))
    assert "acme/safetensors-only" not in desk.all(text="acme")


def test_a_model_page_has_everything_for_a_choice(desk: Desk) -> None:
    page = desk.model("acme/Qwen3-8B-GGUF")
    labels = [(variant.label, variant.bits_per_weight, variant.quality) for variant in page.variants]
    assert labels == [
        ("BF16", 16.0, "Closest to the original"),
        ("Q8_0", 8.51, "Closest to the original"),
        ("Q6_K", 6.57, "Hard to tell apart"),
        ("UD-Q4_K_XL", 5.02, "Best balance"),
        ("Q4_K_M", 4.91, "Best balance"),
        ("Q2_K", 3.2, "Often wrong"),
    ]
    shards = page.variants[0].files
    assert [file.path[-19:] for file in shards] == ["-00001-of-00002.gguf"[1:], "-00002-of-00002.gguf"[1:]]
    assert page.variants[0].size_bytes == 16_380_000_000
    assert [file.path for file in page.projectors] == ["mmproj-F16.gguf"]
    assert [file.path for file in page.others] == ["imatrix_unsloth.dat", "mtp-Qwen3-8B-Q8_0.gguf"]
    assert [left.reason for left in page.left_out] == ["Only 1 of its 2 parts are there."]
    assert page.commit == desk.hub.repositories["acme/Qwen3-8B-GGUF"].commit
    assert all(len(file.sha256) == 64 for variant in page.variants for file in variant.files)
    assert page.license_name == "Apache 2.0"
    assert page.license_link.startswith("https://www.apache.org/")
    assert len(desk.hub.asked()) == 1


def test_a_mirror_without_blobs_is_asked_for_the_tree(desk: Desk) -> None:
    whole = desk.model("acme/Qwen3-8B-GGUF")
    repository = desk.hub.repositories["acme/Qwen3-8B-GGUF"]
    bare = {
        "id": repository.id,
        "sha": repository.commit,
        "tags": ["gguf", "license:apache-2.0"],
        "siblings": [{"rfilename": path} for path in repository.files],
    }
    desk.hub.answers["/api/models/acme/Qwen3-8B-GGUF"] = [Answer(200, {}, json.dumps(bare).encode())]
    page = desk.model("acme/Qwen3-8B-GGUF")
    assert [(one.label, one.size_bytes) for one in page.variants] == [
        (one.label, one.size_bytes) for one in whole.variants
    ]
    assert page.summary.params == whole.summary.params or page.summary.params == 8_000_000_000


def test_revisions(desk: Desk) -> None:
    repository = desk.hub.repositories["acme/Qwen3-8B-GGUF"]
    assert desk.model(repository.id, repository.commit).commit == repository.commit
    with pytest.raises(errors.NotFound):
        desk.model(repository.id, "no-such-branch")
    with pytest.raises(errors.NotFound):
        desk.model(repository.id, "../../x")


def test_a_renamed_repository_is_followed(desk: Desk) -> None:
    desk.hub.renamed["old/name"] = "acme/Qwen3-8B-GGUF"
    assert desk.model("old/name").summary.repo == "acme/Qwen3-8B-GGUF"


def test_the_card(desk: Desk) -> None:
    card = desk.card("acme/Qwen3-8B-GGUF")
    assert card.startswith("# Qwen3 8B\n")
    bare = next(one.id for one in desk.hub.repositories.values() if not one.gated and "README.md" not in one.files)
    assert desk.card(bare) == ""


def test_a_huge_card_is_cut(desk: Desk) -> None:
    desk.hub.add(Repository(id="acme/long", files={"README.md": b"a line of text\n" * 200_000}))
    desk.hub.repositories["acme/long"].files["README.md"]._lfs = False
    card = desk.card("acme/long")
    assert len(card) <= CARD_BYTES + 10
    assert card.endswith("a line of text\n\n…\n")


def test_a_card_of_20_mb_that_lies_on_the_cdn(desk: Desk) -> None:
    """The Hub keeps large files elsewhere, a card too; only its beginning is fetched."""
    desk.hub.add(Repository(id="acme/long", files={"README.md": b"a line of text\n" * 1_400_000}))
    desk.token = GOOD_TOKEN
    card = desk.card("acme/long")
    assert len(card) <= CARD_BYTES + 10
    assert card.endswith("a line of text\n\n…\n")
    (asked,) = desk.hub.cdn.seen
    assert "Authorization" not in asked.headers
    assert sum(entry.received_bytes for entry in desk.gate.ledger.take()) < 3 * CARD_BYTES
    desk.hub.cdn.faults.append(Fault(Kind.STATUS, times=-1, status=403))
    with pytest.raises(errors.ServerTrouble, match="server with this file"):
        desk.card("acme/long")


@pytest.mark.parametrize("location", ["{cdn}/login", "https://portal.example/login", "http://[", ""])
def test_a_card_behind_a_sign_in_page(desk: Desk, location: str) -> None:
    """Only the Hub, which says what file it is, leads elsewhere."""
    where = location.format(cdn=desk.hub.cdn.url)
    path = "/acme/Qwen3-8B-GGUF/resolve/main/README.md"
    desk.hub.always[path] = Answer(302, {"Location": where} if where else {})
    with pytest.raises(errors.NotUnderstood, match="sign-in"):
        desk.card("acme/Qwen3-8B-GGUF")
    assert desk.hub.cdn.seen == []


def test_the_token_is_kept_back_from_a_mirror(desk: Desk) -> None:
    """The person reads why, and where it is changed; then it goes along."""
    desk.token = GOOD_TOKEN
    desk.hub.add(Repository(id="acme/mine-GGUF", files={"a-Q4_0.gguf": b"GGUF", "README.md": b"x"}, private=True))
    mirror = desk.hub.url.removeprefix("http://")
    desk.token_hosts = ()
    with pytest.raises(errors.NotFound) as hidden:
        desk.model("acme/mine-GGUF")
    desk.hub.always["/api/models/acme/closed"] = Answer(401, {"X-Error-Code": "GatedRepo"})
    with pytest.raises(errors.TokenKeptBack) as closed:
        desk.model("acme/closed")
    for error in (hidden.value, closed.value):
        assert "only sent to huggingface.co" in error.sentence
        assert mirror in error.sentence
        assert "network.token_hosts" in error.sentence
        assert "log in" not in error.sentence.lower()
    assert not any("Authorization" in seen.headers for seen in desk.hub.seen)
    desk.token_hosts = (mirror,)
    assert desk.model("acme/mine-GGUF").summary.private


def test_newer(desk: Desk) -> None:
    repository = desk.hub.repositories["acme/Qwen3-8B-GGUF"]
    before = repository.commit
    assert desk.newer(repository.id, before) == ""
    repository.replace("config.json", b"{}")
    assert desk.newer(repository.id, before) == repository.commit != before


def test_gated_and_private(desk: Desk) -> None:
    gated = next(one for one in desk.hub.repositories.values() if one.gated)
    assert desk.model(gated.id).summary.gated == "manual"
    desk.hub.add(Repository(id="acme/mine-GGUF", files={"a-Q4_0.gguf": b"GGUF"}, private=True))
    with pytest.raises(errors.NotFound, match="log in"):
        desk.model("acme/mine-GGUF")
    desk.token = GOOD_TOKEN
    assert desk.model("acme/mine-GGUF").summary.private
    assert "acme/mine-GGUF" in desk.all(text="mine")
    desk.token = "hf_old"
    with pytest.raises(errors.TokenRefused):
        desk.model("acme/mine-GGUF")


def test_a_repository_that_was_shut(desk: Desk) -> None:
    desk.hub.repositories["acme/Qwen3-8B-GGUF"].disabled = True
    with pytest.raises(errors.AccessDenied, match="shut"):
        desk.model("acme/Qwen3-8B-GGUF")


def test_the_limit_says_when(desk: Desk) -> None:
    desk.hub.left, desk.hub.reset_s = 0, 55
    with pytest.raises(errors.RateLimited, match="in 55 seconds") as caught:
        desk.search()
    assert caught.value.seconds == 55
    assert len(desk.hub.asked()) == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_server_trouble_is_told_at_once(desk: Desk, status: int) -> None:
    desk.hub.always["/api/models"] = Answer(status, {"Content-Type": "text/html"}, b"<html>")
    with pytest.raises(errors.ServerTrouble):
        desk.search()
    assert len(desk.hub.asked()) == 1


def test_nothing_is_asked_outside_an_action_or_offline(desk: Desk) -> None:
    with pytest.raises(Refused):
        desk.catalog.search(SearchQuery())
    desk.online = False
    with pytest.raises(Offline):
        desk.search()
    assert not desk.hub.seen


@pytest.mark.parametrize("repo", ["", "a", "a/b/c", "../x", "a/..", "a/b?c=d", "a b/c", "a/b#c", "a/b\n", "http://x/y"])
def test_a_name_that_is_none_is_never_asked_for(desk: Desk, repo: str) -> None:
    for ask in (desk.model, desk.card):
        with pytest.raises(errors.NotFound):
            ask(repo)
    assert not desk.hub.seen


# --- answers that nobody should have to bear ------------------------------------------------------------------------


def _row(**changed: Any) -> dict[str, Any]:
    return {"id": "o/n", "gguf": {"total": 5, "architecture": "llama", "context_length": 7}, "tags": ["gguf"]} | changed


_BAD_NAMES = [
    "x" * 10_000_000, "../../etc", "a/b/c", "a", "", None, 7, ["o/n"], "o/n\u202e", "o\\n/x", "o/..", {},
]  # fmt: skip

_ABSURD: list[dict[str, Any]] = [
    *({"gguf": value} for value in (None, 3, [], "x", {"total": -1}, {"total": True}, {"total": 10**30})),
    *({"gguf": {"architecture": value, "context_length": value}} for value in (-5, [1], {}, "x" * 10**6, "\0", None)),
    *({"tags": value} for value in (None, "gguf", [1, None, {}], ["x" * 10**6], ["t"] * 100_000, ["license:\u202e"])),
    *({name: value} for name in ("downloads", "likes") for value in (-1, "many", 1.5, 10**40, None, True)),
    *({"lastModified": value} for value in (7, "yesterday", "9" * 10**6, "0001-01-01T00:00Z", "9999-12-31T23:59:59")),
    *({"siblings": value} for value in (None, 3, [3, None], [{"rfilename": 3}], [{"rfilename": "x" * 10**6}])),
    *({"gated": value} for value in ("yes", 1, [], True)),
    *({"cardData": value} for value in (1, [], {"license": 3}, {"license": [{}]}, {"base_model": [[]]})),
]


def test_rows_without_a_usable_name_are_passed_over(desk: Desk) -> None:
    rows = [*(_row(id=name) for name in _BAD_NAMES), None, 3, "text", [], True, _row()]
    desk.hub.always["/api/models"] = Answer(200, {}, json.dumps(rows).encode())
    assert [model.repo for model in desk.search().models] == ["o/n"]


def test_absurd_fields_count_as_unknown(desk: Desk) -> None:
    for changed in _ABSURD:
        desk.hub.always["/api/models"] = Answer(200, {}, json.dumps([_row(**changed)]).encode())
        (model,) = desk.search().models
        assert model.repo == "o/n"
        assert 0 <= model.params <= 10**14
        assert model.downloads >= 0
        assert model.updated_ms >= 0
        assert len(model.tags) <= 200


def test_an_answer_that_is_none(desk: Desk) -> None:
    for body in (
        b"", b"<html>Sign in</html>", b"{}", b"null", b'"x"', b"\xff\xfe", b"[" * 100_000, b'{"a":' * 100_000, b"[1,",
        b"NaN", b"[1e99999999]", b"[1]garbage",
    ):  # fmt: skip
        desk.hub.always["/api/models"] = desk.hub.always["/api/models/o/n"] = Answer(200, {}, body)
        with pytest.raises(errors.NotUnderstood):
            desk.search()
        with pytest.raises(errors.NotUnderstood):
            desk.model("o/n")


def test_an_endless_answer_ends(desk: Desk) -> None:
    desk.hub.always["/api/models"] = Answer(200, {}, b"[" + b" " * (LIST_BYTES + 10) + b"]")
    with pytest.raises((errors.NotUnderstood, AnswerTooLarge)):
        desk.search()


def test_a_next_page_that_is_the_same_page_is_the_end(desk: Desk) -> None:
    link = {"Link": f'<{desk.hub.url}/api/models?cursor=same>; rel="next"'}
    desk.hub.always["/api/models"] = Answer(200, link, json.dumps([_row()]).encode())
    page = desk.search()
    assert page.cursor == "cursor=same"
    assert desk.search(page.cursor).cursor == ""


@pytest.mark.parametrize(
    "link",
    [
        "<https://evil.example/api/models?cursor=2>; rel=next",
        "<//evil.example?cursor=2>; rel=next",
        "<?cursor=2>; rel=next",
    ],
)
def test_the_host_of_a_next_page_is_not_believed(desk: Desk, link: str) -> None:
    desk.hub.answers["/api/models"] = [Answer(200, {"Link": link}, b"[]")]
    page = desk.search()
    assert page.cursor == "cursor=2"
    desk.hub.answers["/api/models"] = [Answer(200, {}, b"[]")]
    desk.search(page.cursor)
    assert desk.hub.asked()[-1] == "/api/models?cursor=2"


@pytest.mark.parametrize(
    "link", ["garbage", "<" * 5000, "<http://[bad?x>; rel=next", f"<?{'c' * 9000}>; rel=next", ";;;,,,"]
)
def test_a_broken_link_is_the_end(desk: Desk, link: str) -> None:
    desk.hub.answers["/api/models"] = [Answer(200, {"Link": link}, json.dumps([_row()]).encode())]
    assert desk.search().cursor == ""


@pytest.mark.parametrize("location", ["/api/models/o/n", "https://evil.example/", "//evil.example/x", "http://[", ""])
def test_redirects_that_lead_nowhere(desk: Desk, location: str) -> None:
    desk.hub.always["/api/models/o/n"] = Answer(302, {"Location": location} if location else {})
    with pytest.raises(errors.NotUnderstood):
        desk.model("o/n")
    assert len(desk.hub.asked()) <= 5


def test_files_with_hostile_names_are_left_out_with_a_reason(desk: Desk) -> None:
    paths = [
        "../../x-Q4_0.gguf",
        "/abs-Q4_0.gguf",
        "a\\b-Q4_0.gguf",
        "a/../b.gguf",
        "x\u202efugg.gguf",
        "y" * 2000 + ".gguf",
    ]
    siblings = [
        {"rfilename": path, "size": 10} for path in [*paths, "fine-Q4_0.gguf", "FINE-q4_0.gguf", "none-Q8_0.gguf"]
    ]
    siblings[-1]["size"] = -4
    body = json.dumps(_row(sha="a" * 40, siblings=siblings)).encode()
    desk.hub.always["/api/models/o/n"] = Answer(200, {}, body)
    tree = [{"type": "file", "path": one["rfilename"], "size": one["size"]} for one in siblings]
    desk.hub.always[f"/api/models/o/n/tree/{'a' * 40}"] = Answer(200, {}, json.dumps(tree).encode())
    page = desk.model("o/n")
    assert len(page.variants) == 1
    assert len(page.left_out) == len(paths) + 2
    assert all(left.reason for left in page.left_out)


def test_a_tree_without_an_end_ends(desk: Desk) -> None:
    desk.hub.always["/api/models/o/n"] = Answer(
        200, {}, json.dumps(_row(sha="a" * 40, siblings=[{"rfilename": "x-Q4_0.gguf"}])).encode()
    )
    link = {"Link": f'<{desk.hub.url}/x?cursor=again>; rel="next"'}
    desk.hub.always[f"/api/models/o/n/tree/{'a' * 40}"] = Answer(200, link, b"[]")
    assert desk.model("o/n").variants == ()
    assert len(desk.hub.asked()) <= 4


def test_a_server_that_hangs_up(desk: Desk) -> None:
    with desk.hub.hold("/api/models"):
        thread = threading.Thread(target=lambda: (desk.hub.wait_for(lambda hub: bool(hub.seen)), desk.hub.disconnect()))
        thread.start()
        with pytest.raises(ConnectionFailed):
            desk.search()
        thread.join(5)
