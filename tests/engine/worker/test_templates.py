"""Chat templates as Transformers renders them, fallbacks, system messages that a template does not take."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest

from app.engine.errors import TemplateBroken
from app.engine.worker.templates import ChatTemplate, Message

SYSTEM = {"role": "system", "content": "Be brief."}
HELLO = {"role": "user", "content": "Hello"}
HI = {"role": "assistant", "content": "Hi!"}
TURNS = (
    "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate') }}{% endif %}"
    "[{{ m.role }}]{{ m.content }}{% endfor %}"
)


def make(source: str, tokens: tuple[str, ...] = ()) -> ChatTemplate:
    has: Callable[..., bool] = lambda *texts: all(text in tokens for text in texts)  # noqa: E731
    return ChatTemplate(source, bos="<s>", eos="</s>", has_tokens=has)


def render(source: str, *messages: Message, tokens: tuple[str, ...] = (), **options: object) -> str:
    return make(source, tokens).render(list(messages or [HELLO]), options, add_generation_prompt=True)


def test_blocks_are_trimmed_as_transformers_trims_them() -> None:
    assert render(
        "{% for m in messages %}\n    {% if true %}\n  {{ m.content }}\n    {% endif %}\n{% endfor %}\nend"
    ) == ("  Hello\nend")


def test_helpers() -> None:
    assert render("{{ bos_token }}{{ eos_token }}{{ add_generation_prompt }}{{ tools is none }}") == "<s></s>TrueTrue"
    assert render("{{ strftime_now('%Y') }}") == str(datetime.now().year)
    assert render("{% generation %}{{ messages[0].content }}{% endgeneration %}") == "Hello"
    assert render("{% for i in range(9) %}{% if i == 2 %}{% continue %}{% endif %}"
                  "{% if i > 3 %}{% break %}{% endif %}{{ i }}{% endfor %}") == "013"  # fmt: skip


def test_tojson_is_not_escaped_for_html() -> None:
    assert render("{{ messages[0] | tojson }}", {"role": "user", "content": "<a> & 'é' \"ü\""}) == (
        '{"role": "user", "content": "<a> & \'é\' \\"ü\\""}'
    )
    assert (
        render("{{ {'b': 1, 'a': [1, 2]} | tojson(indent=2, sort_keys=true) }}")
        == '{\n  "a": [\n    1,\n    2\n  ],\n  "b": 1\n}'
    )


def test_options_reach_the_template_but_not_its_own_names() -> None:
    assert render("{{ enable_thinking }} {{ messages | length }}", enable_thinking=False, messages=[]) == "False 1"


def test_thinking_is_given_as_reasoning_content() -> None:
    assert make("{% if enable_thinking %}{% endif %}").can_think
    assert make("<think>{{ messages }}").can_think
    assert not make("{{ messages }}").can_think


def test_messages_are_read_only() -> None:
    with pytest.raises(TemplateBroken):
        render("{{ messages.append(1) }}")


@pytest.mark.parametrize(
    "source",
    ["{% if %}", "{{ 1 / 0 }}", "{{ messages[0].no.such }}", "{{ messages[5].content }}", "{% include 'other' %}",
     "{{ raise_exception('no') }}", "{{ 'a' + 1 }}", "{{ nothing() }}", "{{ messages | nosuchfilter }}",
     "{{ ''.__class__.__mro__[1].__subclasses__() }}", "{{ messages.__init__.__globals__ }}",
     "{% for x in 5 %}{% endfor %}"],
)  # fmt: skip
def test_a_broken_template_says_so(source: str) -> None:
    with pytest.raises(TemplateBroken) as caught:
        render(source)
    assert caught.value.detail


def test_a_refused_system_message_opens_the_first_user_message() -> None:
    assert render(TURNS, SYSTEM, HELLO) == "[user]Be brief.\n\nHello"
    assert render(TURNS, SYSTEM, HELLO, HI, HELLO) == "[user]Be brief.\n\nHello[assistant]Hi![user]Hello"


def test_a_system_message_that_is_dropped_silently_does_too() -> None:
    source = "{% for m in messages %}{% if m.role != 'system' %}[{{ m.role }}]{{ m.content }}{% endif %}{% endfor %}"
    assert render(source, SYSTEM, HELLO) == "[user]Be brief.\n\nHello"


def test_neighbours_of_one_role_are_joined_where_turns_are_insisted_on() -> None:
    assert render(TURNS, HELLO, HELLO, HI) == "[user]Hello\n\nHello[assistant]Hi!"
    assert render(TURNS, SYSTEM, HELLO, HELLO) == "[user]Be brief.\n\nHello\n\nHello"


def test_a_refusal_that_nothing_pleases_is_reported() -> None:
    with pytest.raises(TemplateBroken) as caught:
        render(TURNS, HI)
    assert "alternate" in caught.value.detail


@pytest.mark.parametrize(
    ("tokens", "start"),
    [
        (
            ("<|im_start|>", "<|im_end|>"),
            "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n",
        ),
        (
            ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
            "<s><|start_header_id|>system<|end_header_id|>\n\nBe",
        ),
        (("<start_of_turn>", "<end_of_turn>"), "<s><start_of_turn>user\nBe brief.\n\nHello<end_of_turn>\n"),
        (("<|user|>", "<|assistant|>"), "<|system|>\nBe brief.</s>\n<|user|>\nHello</s>\n"),
        (("<|user|>", "<|assistant|>", "<|end|>"), "<|system|>\nBe brief.<|end|>\n<|user|>\nHello<|end|>\n"),
        (("[INST]", "[/INST]"), "<s>[INST] Be brief.\n\nHello [/INST]"),
        ((), "Be brief.\n\nUser: Hello\nAssistant:"),
    ],
)
def test_without_a_template_the_vocabulary_tells_the_format(tokens: tuple[str, ...], start: str) -> None:
    assert render("", SYSTEM, HELLO, tokens=tokens).startswith(start)


def test_a_name_instead_of_a_template_is_no_template() -> None:
    assert render("chatml", HELLO) == "User: Hello\nAssistant:"


def test_a_plain_transcript_ends_where_the_other_side_speaks() -> None:
    assert make("").stop == ("\nUser:", "\nAssistant:")
    assert make("{{ messages }}").stop == ()
