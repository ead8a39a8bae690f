"""The papers: every part is told once with its licence, and a text that many share stands once."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from tests.scripts.loading import SCRIPTS, script

bill = script("bill")
contents = script("contents")


@dataclass
class Part:
    """What contents.py hands over."""

    name: str
    version: str = "1.0"
    licence: str = "MIT"
    purl: str = ""
    source: str = ""
    notice: str = ""
    texts: list[tuple[str, str]] = field(default_factory=lambda: [("LICENSE", "Do as you like.")])
    within: list[Part] = field(default_factory=list)


PARTS = [
    Part(
        "alpha", purl="pkg:pypi/alpha@1.0", within=[Part("inner", version="", licence="Zlib", purl="pkg:generic/inner")]
    ),
    Part("beta", licence="Some words of its own", purl="pkg:pypi/beta@1.0", notice="Copyright (c) Beta"),
]


def test_the_text_for_people() -> None:
    text = bill.third_party(PARTS)
    assert text.count("Do as you like.") == 1
    assert "inner, in alpha" in text
    assert "(LICENSE: the same text as of alpha, above)" in text
    assert "Copyright (c) Beta" in text


def test_the_list_for_programs() -> None:
    told = bill.bill_of_materials("0.1.0", "2026-01-01T00:00:00Z", "lite", PARTS)
    assert (told["bomFormat"], told["specVersion"]) == ("CycloneDX", "1.6")
    alpha, beta = told["components"]
    assert alpha["licenses"] == [{"expression": "MIT"}]
    assert alpha["components"][0]["bom-ref"] == "pkg:pypi/alpha@1.0#pkg:generic/inner"
    assert beta["licenses"] == [{"license": {"name": "Some words of its own"}}]
    assert told["dependencies"][0]["dependsOn"] == ["pkg:pypi/alpha@1.0", "pkg:pypi/beta@1.0"]
    assert bill.bill_of_materials("0.1.0", "2026-01-01T00:00:00Z", "lite", PARTS) == told


def test_every_text_that_is_named_is_there() -> None:
    known = json.loads((SCRIPTS / "licences" / "parts.json").read_text(encoding="utf-8"))
    named = {text for part in known.values() for text in part.get("texts", [])}
    named |= {text for part in known.values() for inner in part.get("within", []) for text in inner["texts"]}
    there = {path.stem for path in (SCRIPTS / "licences").glob("*.txt")}
    assert named == there | set(contents.COMMON)
