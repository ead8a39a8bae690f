"""Templates that want the machine: each ends in a sentence, soon, and the next one renders."""

from __future__ import annotations

import resource
import subprocess
import sys
import time

import pytest

from app.engine.errors import TemplateBroken, TemplateLimit
from app.engine.outcome import Cause, Ending, describe
from app.engine.worker import sandbox
from app.engine.worker.templates import ChatTemplate

MESSAGES = [{"role": "user", "content": "hi"}]
DOUBLING = "{%% set ns = namespace(x=%s) %%}{%% for i in range(60) %%}%s{%% endfor %%}{{ ns.x }}"

LOOPS = [
    "{% for i in range(10**9) %}x{% endfor %}",
    "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    "{% for i in range(99999) %}{% for j in range(99999) %}x{% endfor %}{% endfor %}",
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}",
    "{% for a in range(9999) recursive %}{{ loop(range(9999)) }}{% endfor %}",
    "{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}",
    "{{ " + "[" * 300 + "1" + "]" * 300 + " }}",
    "{# " + "x" * sandbox.SOURCE_LIMIT + " #}{{ messages }}",
]
BOMBS = [
    "{{ 'a' * 10**10 }}",
    "{{ [0] * 10**10 }}",
    "{{ 10**10 * 'a' }}",
    "{{ 10 ** (10 ** 10) }}",
    "{{ 'a'.ljust(10**10) }}",
    "{{ 'a'.center(10**10) }}",
    "{{ '%10000000000d' % 1 }}",
    "{{ '%*d' % (10**10, 1) }}",
    "{{ '%10000000000d' | format(1) }}",
    "{{ '{:10000000000}'.format(1) }}",
    "{{ '{:{}}'.format(1, 10**10) }}",
    "{{ ('a' * 1000000).replace('a', 'b' * 1000000) }}",
    "{{ ('a' * 1000000) | replace('a', 'b' * 1000000) }}",
    "{{ ('b' * 1000000).join(range(99999) | map('string')) }}",
    "{{ range(99999) | map('string') | join('b' * 1000000) }}",
    "{{ ('\t' * 100000).expandtabs(100000) }}",
    "{{ [1] | batch(10**9, 0) | list | length }}",
    "{{ 1.5 | round(10**9, 'ceil') }}",
    "{{ ('a\n' * 1000000) | indent(1000000) }}",
    "{{ (1).to_bytes(10**10) }}",
    "{% set x %}{% for i in range(99999) %}" + "a" * 100_000 + "{% endfor %}{% endset %}",
    "{% for i in range(99999) %}" + "a" * 100_000 + "{% endfor %}",
    "{% set s = 'a' * 3000000 %}{% set ns = namespace(l=[]) %}"
    "{% for i in range(99999) %}{% set ns.l = ns.l + [s[1:]] %}{% endfor %}",
    "{{ range(99999) | map('default', 'x' * 3000000) | list | length }}",
    "{% macro f() %}{{ caller() }}{% endmacro %}"
    "{% call f() %}{% for i in range(99999) %}{{ 'x' * 3000000 }}{% endfor %}{% endcall %}",
    DOUBLING % ("'aaaa'", "{% set ns.x = ns.x ~ ns.x %}"),
    DOUBLING % ("'aaaa'", "{% set ns.x = ns.x + ns.x %}"),
    DOUBLING % ("'aaaa'", "{% set ns.x = [ns.x, ns.x] | join %}"),
    DOUBLING % ("'aaaa'", "{% set ns.x %}{{ ns.x }}{{ ns.x }}{% endset %}"),
    DOUBLING % ("[1]", "{% set ns.x = ns.x + ns.x %}"),
    DOUBLING % ("[1]", "{% set ns.x = [ns.x, ns.x] %}"),
    DOUBLING % ("1", "{% set ns.x = {'a': ns.x, 'b': ns.x} %}"),
    DOUBLING % ("1", "{% set ns.x = (ns.x, ns.x) %}"),
    DOUBLING % ("1", "{% set ns.x = namespace(a=ns.x, b=ns.x) %}"),
    DOUBLING % ("1", "{% set ns.x = dict(a=ns.x, b=ns.x) %}"),
    DOUBLING % ("7", "{% set ns.x = ns.x * ns.x %}"),
    "{% set ns = namespace(x=1) %}{% set ns.x = [ns, ns] %}{{ ns }}",
    "{{ ('a' * 1000000) | replace(new='b' * 1000000, old='a') }}",
    "{{ ('a' * 1000000) | replace('a', range(99999) | list) }}",
    "{{ range(99999) | list | join(range(99999) | list) }}",
    "{{ ('{0}' * 300000).format('x' * 3000000) }}",
    "{{ ('%(a)s' * 300000) % {'a': 'x' * 3000000} }}",
    "{{ ('%(a).9999f' * 300000) | format(a=1) }}",
    "{{ range(2**2047, 2**2047 + 99999) | list | tojson }}",
    "{{ range(2**2047, 2**2047 + 99999) | join }}",
]
LONG_CALLS = [
    "{{ ('a' * 3000000).rfind('ab' ~ 'a' * 1500000) }}",
    "{{ ('a' * 3000000).rsplit('ab' ~ 'a' * 1500000) }}",
    "{{ ('a' * 2000000).strip('b' * 1900000 ~ 'a') }}",
    "{{ ('a' * 2000000) | trim('b' * 1900000 ~ 'a') }}",
    "{{ range(99999) | batch(1) | list | sum(start=[]) }}",
]


def make(source: str) -> ChatTemplate:
    return ChatTemplate(source, bos="", eos="", has_tokens=lambda *texts: False)


@pytest.mark.parametrize("source", LOOPS + BOMBS + LONG_CALLS, ids=lambda source: source[:60])
def test_a_hostile_template_is_stopped(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "TIME_LIMIT_S", 0.3)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    with pytest.raises(TemplateLimit):
        make(source).render(MESSAGES, {}, add_generation_prompt=True)
    assert time.perf_counter() - started < 10
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * (1 if sys.platform == "darwin" else 1024)
    assert grown < 600e6


def test_a_call_that_does_not_end_takes_the_process_along() -> None:
    """Numbers of one hash make a dictionary slow inside one call of C, which no Python interrupts."""
    script = (
        "from app.engine.worker import sandbox; from app.engine.worker.templates import ChatTemplate\n"
        "sandbox.LAST_LIMIT_S = 0.3\n"
        "source = '{{ {}.fromkeys(range(0, 99999 * (2**61 - 1), 2**61 - 1)) }}'\n"
        "template = ChatTemplate(source, bos='', eos='', has_tokens=lambda *texts: False)\n"
        "template.render([{'role': 'user', 'content': 'hi'}], {}, add_generation_prompt=True)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    outcome = describe(Ending(Cause.ITSELF, done.returncode, done.stderr.splitlines()))
    assert outcome.kind == "template"
    assert "chat template" in outcome.sentence


def test_the_same_template_object_stays_usable() -> None:
    template = make("{% if bomb %}{{ 'a' * 10**10 }}{% endif %}{{ messages[0].content }}")
    with pytest.raises(TemplateLimit):
        template.render(MESSAGES, {"bomb": True}, add_generation_prompt=True)
    assert template.render(MESSAGES, {}, add_generation_prompt=True) == "hi"
    assert sys.gettrace() is None or "coverage" in sys.modules


def test_a_long_ordinary_conversation_is_within_the_limits() -> None:
    messages = [{"role": "user" if i % 2 == 0 else "assistant", "content": f"{i} " + "word " * 400} for i in range(400)]
    source = (
        "{%- set ns = namespace(text='', last=messages | length - 1) -%}{%- for m in messages -%}"
        "{%- set content = m.content.split('</think>')[-1].lstrip('\n') if m.role == 'assistant' else m.content -%}"
        "{{ '<|im_start|>' + m.role + '\n' ~ content + '<|im_end|>\n' }}"
        "{{ '' if loop.last else messages[loop.index].role[:0] }}"
        "{%- endfor -%}"
    )
    text = make(source).render(messages, {}, add_generation_prompt=True)
    assert text.count("<|im_start|>") == 400


def test_a_conversation_larger_than_the_limit_renders() -> None:
    words = "w" * (sandbox.VALUE_LIMIT + 10)
    messages = [{"role": "user", "content": words}]
    assert (
        make("{{ '[' + messages[0].content + ']' }}").render(messages, {}, add_generation_prompt=True) == f"[{words}]"
    )


def test_a_format_of_many_colons_is_read_in_one_go() -> None:
    source = "{{ ('{' ~ ':' * 1000000 ~ '}' ~ '{').format(1) }}"
    template = ChatTemplate(source, bos="", eos="", has_tokens=lambda *texts: False)
    with pytest.raises(TemplateBroken):
        template.render(MESSAGES, {}, add_generation_prompt=True)
