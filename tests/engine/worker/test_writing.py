"""Replies of real models over the protocol: events, facts, sampling, stopping."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from app.engine.protocol import Cancel, Code, Delta, Finished, Measure, Measured, Progress, Started
from app.engine.values import PromptMessage, Sampling
from app.engine.worker.sampling import Sampler
from tests.engine.worker.process import WorkerProcess, failed, user

SKY = [user("Why is the sky blue?")]
STOP_GUARD_S = 1.0  # ten times what is promised


def test_a_reply_of_the_starter_model(starter: WorkerProcess) -> None:
    reply = starter.write(SKY, max_tokens=40, sequence="sky")
    kinds = [type(event) for event in reply.events]
    assert kinds[0] is Started
    assert kinds[-1] is Finished
    assert kinds.index(Progress) < kinds.index(Delta)
    assert "blue" in reply.text.lower()
    assert len(reply.ids) == reply.facts.completion_tokens == 40
    assert reply.facts.finish_reason == "length"
    assert reply.facts.prompt_tokens == reply.started.prompt_tokens
    assert 0 < reply.facts.prompt_s <= reply.facts.ttft_s
    assert reply.facts.tokens_per_s > 0


def test_a_reply_ends_by_itself(starter: WorkerProcess) -> None:
    reply = starter.write([user("Say only: yes")], max_tokens=300, sequence="yes")
    assert reply.facts.finish_reason == "stop"
    assert "<|im_end|>" not in reply.text
    assert len(reply.ids) == reply.facts.completion_tokens


def test_the_next_turn_reads_only_what_is_new(starter: WorkerProcess) -> None:
    messages = [user("Tell me of the sea.")]
    held = starter.write(messages, sequence="sea", max_tokens=1).facts.prompt_tokens - 1
    for question in ("And of ships?", "Who sails them?", "Where to?"):
        reply = starter.write(messages, sequence="sea", temperature=1.0, seed=5, max_tokens=20)
        assert reply.facts.cached_tokens == held
        held = reply.facts.prompt_tokens + reply.facts.completion_tokens - (reply.facts.finish_reason == "length")
        messages += [starter.said(reply), user(question)]


def test_the_seed_repeats_a_reply_and_is_told(starter: WorkerProcess) -> None:
    first = starter.write(SKY, sequence="one", temperature=1.0, seed=None)
    # The same slices: a first reading in both cases.
    starter.write([user("x")], sequence="between", max_tokens=1)
    again = starter.write(SKY, sequence="two", temperature=1.0, seed=first.facts.seed)
    starter.write([user("x")], sequence="between", max_tokens=1)
    other = starter.write(SKY, sequence="three", temperature=1.0, seed=first.facts.seed + 1)
    assert again.text == first.text
    assert again.facts.seed == first.facts.seed
    assert other.text != first.text
    assert starter.write(SKY, temperature=1.0, seed=None, max_tokens=1).facts.seed != first.facts.seed


def test_stop_strings_across_tokens(starter: WorkerProcess) -> None:
    free = starter.write(SKY, sequence="stop", max_tokens=40)
    stop = free.text[20:31]
    reply = starter.write(SKY, sequence="stop", max_tokens=40, stop=[stop])
    assert reply.text == free.text[: free.text.index(stop)]
    assert reply.facts.finish_reason == "stop"
    never = starter.write(SKY, sequence="stop", max_tokens=40, stop=[free.text[-6:] + "never"])
    assert never.text == free.text, "held-back text comes at the end"


def test_a_reply_with_a_stop_string_comes_back_without_it(starter: WorkerProcess) -> None:
    reply = starter.write(SKY, sequence="stop", max_tokens=40, stop=[" is"])
    after = starter.write([*SKY, starter.said(reply), user("Go on.")], sequence="stop", max_tokens=2)
    assert after.facts.cached_tokens >= reply.facts.prompt_tokens


def test_stop_while_writing_is_heard_at_once(starter: WorkerProcess) -> None:
    request = starter.begin(SKY, sequence="stopped", max_tokens=5000, temperature=1.5, seed=1)
    events = list(starter.events_of(request, until=lambda event: isinstance(event, Delta)))
    starter.send(Cancel(target=request))
    asked = starter.clock()
    rest = starter.finish(request)
    assert rest.times[-1] - asked < STOP_GUARD_S
    assert rest.facts.finish_reason == "stopped"
    ids = [*events[-1][1].token_ids, *rest.ids]
    assert rest.facts.completion_tokens == len(ids)
    text = events[-1][1].text + rest.text
    turn = [*SKY, PromptMessage(role="assistant", content=text, token_ids=ids, tokenizer=starter.tokenizer)]
    after = starter.write([*turn, user("Go on.")], sequence="stopped", max_tokens=2)
    assert after.facts.cached_tokens >= rest.facts.prompt_tokens + len(ids) - 1


def test_stop_in_a_long_prompt_is_heard_within_a_slice(starter: WorkerProcess) -> None:
    story = "".join(f"On day {number} the hound slept by the fire. " for number in range(550))
    total = starter.measure([user(story)])
    assert 5500 < total < 8000
    request = starter.begin([user(story)], sequence="long", max_tokens=5)
    list(starter.events_of(request, until=lambda event: isinstance(event, Progress) and event.done >= 512))
    starter.send(Cancel(target=request))
    asked = starter.clock()
    stopped = starter.finish(request)
    assert stopped.times[-1] - asked < STOP_GUARD_S
    assert stopped.facts.finish_reason == "stopped"
    assert stopped.facts.completion_tokens == 0
    # What was read whole is kept, and nothing else is believed to be there.
    again = starter.begin([user(story[: len(story) // 10])], sequence="long", max_tokens=5)
    reply = starter.finish(again)
    assert 500 <= reply.facts.cached_tokens < reply.facts.prompt_tokens
    starter.write([user("x")], sequence="other", max_tokens=1)
    cold = starter.write([user(story[: len(story) // 10])], sequence="cold", max_tokens=5)
    assert cold.text == reply.text


def test_the_window_is_a_limit_for_prompts_and_replies(worker: WorkerProcess, tiny: Callable[[str], Path]) -> None:
    worker.load(tiny("dense"), n_ctx=256)
    event = failed(worker.write([user("x " * 600)]).end, Code.PROMPT_TOO_LONG)
    assert event.numbers["limit"] == 255
    assert event.numbers["n"] > 1000
    reply = worker.write([user("the hound")], max_tokens=0, temperature=2.0, top_k=0, top_p=1.0, min_p=0.0, seed=2)
    assert reply.facts.finish_reason in ("length", "stop")
    assert reply.facts.prompt_tokens + reply.facts.completion_tokens <= 256
    failed(worker.write([user("x " * 600)]).end, Code.PROMPT_TOO_LONG)
    assert worker.write([user("the hound")]).facts.cached_tokens > 0, "a refused prompt costs no cache"


def test_measured_is_what_a_reply_reads(starter: WorkerProcess) -> None:
    event = starter.ask(Measure(id=starter.next_id(), messages=SKY))
    assert isinstance(event, Measured)
    assert event.limit == starter.model_now.n_ctx - 1
    assert event.total == starter.write(SKY, max_tokens=1).facts.prompt_tokens
    assert 0 < sum(event.spans) < event.total


def test_templates_fail_in_words_and_the_worker_goes_on(worker: WorkerProcess, tmp_path: Path) -> None:
    from tests.support import tiny_models

    source = "{% if loop_it %}{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}{% endif %}"
    source += "{% if raise_it %}{{ raise_exception('not today') }}{% endif %}{{ messages[0].content }}"
    worker.load(tiny_models.dense(tmp_path / "hostile.gguf", template=source))
    failed(worker.write([user("the")], template_options={"loop_it": True}).end, Code.TEMPLATE_LIMIT)
    event = failed(worker.write([user("the")], template_options={"raise_it": True}).end, Code.TEMPLATE_BROKEN)
    assert "not today" in event.detail
    failed(worker.write([]).end, Code.TEMPLATE_BROKEN)
    assert worker.write([user("the")]).facts.completion_tokens > 0


def test_deltas_are_joined_but_the_first_token_comes_at_once(
    worker: WorkerProcess, tiny: Callable[[str], Path]
) -> None:
    worker.load(tiny("dense"))
    reply = worker.write([user("the hound")], max_tokens=2000, temperature=2.0, top_k=0, top_p=1.0, min_p=0.0, seed=2)
    deltas = [event for event in reply.events if isinstance(event, Delta)]
    assert len(deltas[0].token_ids) == 1
    assert len(deltas) < reply.facts.completion_tokens / 2


def test_several_replies_at_once(worker: WorkerProcess, tiny: Callable[[str], Path]) -> None:
    worker.load(tiny("dense"), n_seq_max=3)
    requests = [
        worker.begin([user(f"the hound {name}")], sequence=name, max_tokens=60, temperature=1.0, seed=1)
        for name in ("a", "b", "c", "d")
    ]
    running: set[int] = set()
    ended: list[int] = []
    most = 0
    while len(ended) < len(requests):
        event = worker.next_event()
        if isinstance(event, Started):
            running.add(event.id)
            most = max(most, len(running))
            if event.id == requests[1]:
                worker.send(Cancel(target=event.id))
        elif isinstance(event, Finished):
            running.discard(event.id)
            ended.append(event.id)
            assert event.facts.finish_reason in ("length", "stop") or event.id == requests[1]
    assert most == 3
    assert set(ended) == set(requests)


@pytest.mark.parametrize(
    ("sampling", "names"),
    [
        (Sampling(), ["top-k", "top-p", "min-p", "temp", "dist"]),
        (Sampling(temperature=0), ["greedy"]),
        (Sampling(temperature=0, repeat=1.1), ["penalties", "greedy"]),
        (Sampling(frequency=0.5, top_k=0, top_p=1.0, min_p=0.0, temperature=1.0), ["penalties", "dist"]),
        (Sampling(presence=0.5, repeat_last_n=0, temperature=0), ["greedy"]),
        (Sampling(temperature=float("nan"), top_k=-1), ["greedy"]),
        (Sampling(repeat=-1.0, presence=float("inf"), top_p=float("nan"), min_p=2.0), ["top-k", "temp", "dist"]),
    ],
)
def test_the_chain(sampling: Sampling, names: list[str]) -> None:
    sampler = Sampler(sampling, n_vocab=1000, n_ctx=512, recent=[1, 2, 3])
    assert [name.lstrip("?") for name in sampler.names()] == names
    sampler.close()
    sampler.close()


@pytest.mark.parametrize(
    ("seed", "used"), [(0, 0), (7, 7), (-1, 2**32 - 2), (2**32 - 1, 0), (2**40 + 3, 2**40 % (2**32 - 1) + 3)]
)
def test_every_seed_can_be_repeated(seed: int, used: int) -> None:
    sampler = Sampler(Sampling(seed=seed), n_vocab=1000, n_ctx=512, recent=[])
    assert sampler.seed == used
    sampler.close()


def test_penalties_count_the_prompt(worker: WorkerProcess, tiny: Callable[[str], Path]) -> None:
    worker.load(tiny("dense"))
    plain = worker.write([user("the hound")], max_tokens=60)
    varied = worker.write([user("the hound")], max_tokens=60, presence=100.0, repeat_last_n=-1)
    assert len(set(varied.ids)) == len(varied.ids)
    assert len(set(plain.ids)) < len(plain.ids)
