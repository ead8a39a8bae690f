"""What Markdown means here: formulas stay as they are written, bare addresses are links, definitions are only those."""

from __future__ import annotations

import pytest
from markdown_it.token import Token

from app.ui.components.transcript.parsing import parse, references


def inline(text: str) -> list[Token]:
    """The tokens of the text's first paragraph."""
    return next(token for token in parse(text) if token.type == "inline").children or []


def formulas(text: str) -> list[str]:
    tokens = [child for token in parse(text) for child in (token, *(token.children or ()))]
    return [token.content for token in tokens if token.type in ("math", "math_block")]


def links(text: str) -> list[str]:
    return [str(token.attrs["href"]) for token in inline(text) if token.type == "link_open"]


@pytest.mark.parametrize(
    "formula",
    [
        r"\(a_1 * b_2 * c_{3}\)",
        r"\[ x*y*z \\ u_1 \]",
        r"$x_i^2 + y_j^2 = \frac{a}{b}$",
        r"$A = \{1, 2\}$",
        r"$$E = mc^2 \\ F_{1} * F_{2}$$",
        "$n$",
    ],
)
def test_a_formula_in_a_line_is_kept_as_written(formula: str) -> None:
    assert formulas(f"Then *soft* {formula} and **bold**.") == [formula]
    assert [token.type for token in inline(f"Then *soft* {formula} and **bold**.") if token.nesting == 1] == [
        "em_open", "strong_open",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "formula",
    ["$$\n\\begin{pmatrix} a & b \\\\ c & d \\end{pmatrix} * \\mathbf{v}_{1}\n$$", "\\[\na\n- b\n= c\n\\]",
     "\\begin{align*}\nf_{a} &= x \\\\\ng &= y\n\\end{align*}"],
)  # fmt: skip
def test_a_formula_of_several_lines_is_one_block(formula: str) -> None:
    assert formulas(f"Before it:\n{formula}\nand *behind* it.") == [formula]
    assert formulas(f"- item\n  {formula.replace(chr(10), chr(10) + '  ')}\n") == [formula]


def test_a_formula_that_is_being_written_ends_at_a_blank_line() -> None:
    assert formulas("\\[\nx_{1} = *a*\n\nand *soft*") == ["\\[\nx_{1} = *a*"]


@pytest.mark.parametrize(
    "text", ["From $5 to *ten* or $10.", "$HOME/bin *and* $PATH", "$$ is a *variable*", "5$ *or* 6$"]
)
def test_money_and_variables_are_no_formulas(text: str) -> None:
    assert not formulas(text)
    assert "em_open" in [token.type for token in inline(text)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("See https://example.org/a_b?c=d#e.", ["https://example.org/a_b?c=d#e"]),
        ("(at http://example.org/a_(b)) and **https://example.net**", ["http://example.org/a_(b)", "https://example.net"]),
        ("中文https://example.org/x。然后", ["https://example.org/x"]),
        ("`https://example.org` is code, file:///etc/passwd and javascript://x are none", []),
        ("[https://example.org/long](https://example.org)", ["https://example.org"]),
        ("[a link](https://example.org/that-is-being-wri", []),
    ],
)  # fmt: skip
def test_bare_addresses_are_links(text: str, found: list[str]) -> None:
    assert links(text) == found


@pytest.mark.parametrize("line", ["[^1]: Source", "[INFO]: started", "[^note]: https://example.org"])
def test_what_only_looks_like_a_definition_is_seen(line: str) -> None:
    assert "".join(token.content for token in parse(f"Words\n\n{line}\n") if token.type == "inline") == f"Words{line}"


def test_indices_and_keys_are_no_html() -> None:
    found = [(token.type, token.content) for token in inline("H<sub>2</sub>O, x<sup>n</sup>, <kbd>Esc</kbd>, <b>b</b>")]
    assert found == [
        ("text", "H"), ("script", "2"), ("text", "O, x"), ("script", "n"), ("text", ", "), ("code_inline", "Esc"),
        ("text", ", <b>b</b>"),
    ]  # fmt: skip
    assert [token.type for token in inline("<sub> alone and <sup>one</sub>")] == ["text"]


def test_only_definitions_of_links_are_told_to_other_parts() -> None:
    text = "[^1]: A footnote.\n[INFO]: server started\n[one]: https://example.org/1\n```\n[two]: https://example.org/2\n```\n"
    assert [definition["href"] for definition in references(text).values()] == ["https://example.org/1"]
    assert references("[a]: no definition") == references("text") == {}
    tokens = parse("see [one]", references(text))
    assert "link_open" in [child.type for child in tokens[1].children or ()]
