"""Guessing the next tokens by looking up what followed the last few earlier in the conversation, and whether it pays.

A text that repeats itself (quoting, editing, code) is written faster when several guessed tokens are decoded in one
batch and those are kept that the model would have written itself. Whether a guess is right can be told without decoding
it, by the token that comes: so what is measured here costs nothing while nothing is guessed, and guessing begins only
where it has come true before. Pure: lists of tokens and seconds, no memory, no model.
"""

from __future__ import annotations

MOST = 15  # tokens guessed at once: a batch of 16
_KEY = 3  # tokens that are looked up
_LONGEST = 16  # from then on a stretch in common counts as long
_AT_ONCE = 4096  # tokens of a prompt that are taken in between two batches: a millisecond
_MISSES = 3  # after so many wrong tokens running, the place is given up
_PAYS = 1.08  # by so much must guessing be faster to be worth it
_FADES = 0.95  # of what was seen before, for each token
_BELIEF = 3.0  # how many tokens the first estimate counts as
_FIRST = (0.3, 0.35, 0.45, 0.6, 0.75, 0.85)  # by the length of the stretch in common: 0, 1, 2-3, 4-7, 8-15, 16 or more


class Costs:
    """How much longer a batch of some tokens takes than a batch of one, on this machine with this model."""

    _SLOPE = 0.35  # of the time of one token, for each further one; a first estimate, on the low side

    def __init__(self) -> None:
        self._one = 0.0  # seconds
        self._further = 0.0  # seconds for each token of a long slice
        self._ratios: dict[int, float] = {}

    def note(self, n_tokens: int, seconds: float) -> None:
        """A batch took so long. Slices of a prompt are those of more than MOST + 1 tokens."""
        if n_tokens > MOST + 1:
            self._further = seconds / n_tokens
        elif n_tokens == 1:
            self._one += (min(seconds, 3 * self._one) - self._one) * 0.1 if self._one else seconds
            # What was slow once is tried again some time: the machine may have had other things to do.
            for size, ratio in self._ratios.items():
                self._ratios[size] = ratio + (self._estimate(size) - ratio) * 0.01
        elif self._one:
            before = self.ratio(n_tokens)
            self._ratios[n_tokens] = before + (min(seconds / self._one, 3 * before) - before) * 0.25

    def ratio(self, n_tokens: int) -> float:
        """The time of a batch of that size over the time of one token."""
        if n_tokens in self._ratios:
            return self._ratios[n_tokens]
        if not self._ratios:
            return self._estimate(n_tokens)
        near = min(self._ratios, key=lambda size: abs(size - n_tokens))
        return 1 + (self._ratios[near] - 1) * (n_tokens - 1) / (near - 1)

    def _estimate(self, n_tokens: int) -> float:
        further = self._further / self._one if self._further and self._one else self._SLOPE
        return 1 + min(further, 1.0) * (n_tokens - 1)


class Guesses:
    """What may come next in one conversation. `follow` must have seen all tokens before `draft` is asked."""

    def __init__(self) -> None:
        self._seen = 0
        self._index: dict[tuple[int, int, int], int] = {}  # where what followed these tokens last stands
        self._place = -1  # of the token that is expected next, -1 for none
        self._run = 0  # so many tokens before it are those written last
        self._misses = 0
        self._right = [0.0] * len(_FIRST)
        self._judged = [0.0] * len(_FIRST)

    def follow(self, tokens: list[int]) -> None:
        """Take in what was added to the conversation; of much only a part, the next time more."""
        if len(tokens) - self._seen > MOST + 1:
            self._take_in(tokens, min(self._seen + _AT_ONCE, len(tokens)))
        else:
            for at in range(self._seen, len(tokens)):
                self._take(tokens, at)
            self._seen = len(tokens)

    def chance(self, run: int) -> float:
        """How likely the expected token comes after a stretch of `run` tokens in common.

        A longer stretch is believed to promise no less than a shorter one, until it was seen otherwise.
        """
        before = 0.0
        for kind in range(_kind(run) + 1):
            first = max(_FIRST[kind], before)
            before = (self._right[kind] + _BELIEF * first) / (self._judged[kind] + _BELIEF)
        return before

    def draft(self, tokens: list[int], costs: Costs, most: int = MOST) -> list[int]:
        """As many of the tokens expected next as promise most tokens in a second; none where one by one is as fast."""
        if self._place < 0 or self._seen < len(tokens):
            return []
        count, best = 0, _PAYS
        expected = chance = 1.0
        for size in range(1, min(most, MOST) + 1):
            chance *= self.chance(self._run + size - 1)
            if chance < 0.1:  # nothing to be gained any more
                break
            expected += chance
            if (gain := expected / costs.ratio(size + 1)) > best:
                count, best = size, gain
        found = tokens[self._place : self._place + count]
        for at in range(len(found), count):  # a text that goes round in a circle
            found.append(found[at - (len(tokens) - self._place)])
        return found

    def _take_in(self, tokens: list[int], end: int) -> None:
        begin = max(self._seen, _KEY)
        keys = zip(tokens[begin - 3 : end], tokens[begin - 2 : end], tokens[begin - 1 : end], strict=False)
        self._index.update(zip(keys, range(begin, end), strict=False))
        self._seen = end
        self._place, self._run = -1, 0
        if end == len(tokens):
            self._find(tokens)

    def _take(self, tokens: list[int], at: int) -> None:
        if self._place >= 0:
            self._judge(tokens[self._place] == tokens[at])
            self._place += 1
        if at >= _KEY:
            self._index[tokens[at - 3], tokens[at - 2], tokens[at - 1]] = at
        self._seen = at + 1
        if self._place < 0 or self._run == 0:
            self._find(tokens)

    def _judge(self, right: bool) -> None:
        kind = _kind(self._run)
        self._right[kind] = self._right[kind] * _FADES + right
        self._judged[kind] = self._judged[kind] * _FADES + 1
        self._run = self._run + 1 if right else 0
        self._misses = 0 if right else self._misses + 1

    def _find(self, tokens: list[int]) -> None:
        """Look for the last tokens further up; else stay where the text was left, for a word may have been replaced."""
        end = self._seen
        place = self._index.get((tokens[end - 3], tokens[end - 2], tokens[end - 1]), -1) if end >= _KEY else -1
        if place >= 0:
            self._place, self._misses, self._run = place, 0, _KEY
            while self._run < min(_LONGEST, place) and tokens[place - self._run - 1] == tokens[end - self._run - 1]:
                self._run += 1
        elif self._misses >= _MISSES:
            self._place = -1


def _kind(run: int) -> int:
    return min(run, _LONGEST).bit_length()
