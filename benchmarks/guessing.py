"""Writing with tokens guessed ahead from the conversation against writing one by one, in the same process."""

from __future__ import annotations

from app.engine.values import GenerateRequest, GenerationFacts, LoadOptions, PromptMessage, Sampling
from benchmarks.figures import Figure, ratio_figure, run_pairs
from benchmarks.processes import BenchmarkError
from benchmarks.speaking import PATIENCE_S, Speaker, asking

TOKENS = 160
STORY = (
    "The lighthouse stood on the northern cliff for more than a hundred years. Every evening Martha climbed the iron "
    "stairs and lit the great lamp. The fishermen of the village knew her by name, and in winter they brought her "
    "bread, fish and dry wood. When the storm of November came, the waves rose higher than the chapel roof. Martha "
    "kept the light burning all night, although the wind broke two windows and the rain ran down the walls. In the "
    "morning seven boats lay safe in the harbour. The mayor wanted to give her a medal, but she asked for new glass "
    "and a barrel of oil instead. Since then the children of the village learn in school how one small light can bring "
    "many people home."
)
REPEAT = [
    PromptMessage(role="user", content=f"Repeat this text word for word, but write Anna instead of Martha:\n\n{STORY}")
]
FREE = asking("Write a very long story about a lighthouse keeper, with many chapters and much detail.")


class _Sides:
    """The same reply asked for with and without guessing."""

    def __init__(self, speaker: Speaker, messages: list[PromptMessage], sampling: Sampling) -> None:
        self._speaker = speaker
        self._messages = messages
        self._sampling = sampling
        self.facts = {guess: self._write(guess) for guess in (False, True)}

    def _write(self, guess: bool) -> GenerationFacts:
        request = GenerateRequest(sequence="guessing", messages=self._messages, sampling=self._sampling, guess=guess)
        call, _ = self._speaker.ask(request)
        facts = call.result(PATIENCE_S)
        if facts.tokens_per_s <= 0:
            raise BenchmarkError("the engine wrote too little to measure")
        return facts

    def speed(self, guess: bool) -> float:
        self.facts[guess] = self._write(guess)
        return self.facts[guess].tokens_per_s

    def figure(self, name: str, pairs: int, at_least: float, more: str) -> Figure:
        paired = run_pairs(lambda: self.speed(True), lambda: self.speed(False), pairs)
        made = self.facts[True]
        counts = f"{made.accepted_tokens} of {made.drafted_tokens} guesses right in {made.completion_tokens} tokens"
        return ratio_figure(name, paired, "tokens/s", at_least=at_least, more=f"{more}; the last time {counts}")


def speculation(pairs: int) -> list[Figure]:
    """Decode speed with / without guessing: a text repeated with a word changed, greedy; free text, sampled."""
    with Speaker(LoadOptions(n_ctx=2048)) as speaker:
        greedy = Sampling(temperature=0.0, max_tokens=TOKENS)
        repeat = _Sides(speaker, REPEAT, greedy)
        if repeat.facts[True].accepted_tokens == 0:
            raise BenchmarkError("nothing was guessed where a text is repeated")
        free = _Sides(speaker, FREE, Sampling(seed=1, max_tokens=TOKENS))
        return [
            repeat.figure("speculation_repeat", pairs, 1.5, "'repeat this text with one word changed', greedy"),
            free.figure("speculation_free", pairs, 0.97, "free text, default sampling"),
        ]
