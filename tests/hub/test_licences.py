"""Licences in plain words; what strangers write beside them."""

from __future__ import annotations

import pytest

from app.base.paths import resources
from app.hub.licences import Licences


@pytest.fixture
def licences() -> Licences:
    return Licences(resources())


def test_every_licence_has_words_and_a_safe_link(licences: Licences) -> None:
    known = licences.known()
    assert {one.id for one in known} >= {
        "apache-2.0", "mit", "llama3.1", "llama3.2", "llama3.3", "llama4", "gemma", "qwen", "cc-by-4.0",
        "cc-by-nc-4.0", "openrail",
    }  # fmt: skip
    assert len({one.id for one in known}) == len(known)
    for one in known:
        assert one.name
        assert one.words.endswith(".")
        assert one.link.startswith("https://")


def test_known_ones_are_explained(licences: Licences) -> None:
    assert licences.explain("apache-2.0").words.startswith("Free for any use")
    assert licences.explain(" Gemma ").link == "https://ai.google.dev/gemma/terms"
    assert licences.explain("other", name="qwen-research").name == "Qwen Research"
    assert licences.explain("").words == "The maker does not say what is allowed."


def test_unknown_ones_say_so(licences: Licences) -> None:
    found = licences.explain("other", name="acme\n community\u202e", link="https://acme.example/terms")
    assert (found.name, found.link) == ("acme community", "https://acme.example/terms")
    assert "rules of their own" in found.words
    assert licences.explain("other").name == "Its own licence"
    assert licences.explain("strange-1.0").name == "strange-1.0"


def test_a_relative_link_belongs_to_the_repository(licences: Licences) -> None:
    found = licences.explain("other", link="LICENSE", repository="https://huggingface.co/o/n")
    assert found.link == "https://huggingface.co/o/n/blob/main/LICENSE"


@pytest.mark.parametrize(
    "link",
    [
        "http://acme.example", "javascript:alert(1)", "file:///etc/passwd", "//evil.example", "../../x", "/x",
        "https://user@evil.example/", "https://[bad", "https://x y", "https://\u0430pple.example",
        "https://" + "x" * 600, "ftp://x",
    ],
)  # fmt: skip
def test_other_links_are_left_out(licences: Licences, link: str) -> None:
    assert licences.explain("other", link=link, repository="https://huggingface.co/o/n").link == ""
