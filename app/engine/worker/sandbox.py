"""A Jinja2 environment for templates nobody vouches for: limited in time, in size, and in what it can reach.

A chat template comes out of a model file, so it is a stranger's program. Jinja2's own sandbox closes the way to
Python's insides; it limits neither time nor memory. Here
- a trace function looks at the clock with every line of Python that compiling or rendering runs, so that no loop and no
  recursion of the template runs longer than allowed; it raises a BaseException, which no `except Exception` swallows;
- every operation by which a template can make a large value is checked, before it runs where the result can be much
  larger than its operands, else after; and the sum of all that was made is limited too. So are the few operations that
  look at everything once for each of its parts;
- what all of that overlooks, one call into C that does not end, no Python can interrupt: a thread of C ends the whole
  process then, and says on stderr that it was for this (outcome.py knows it).
One thread renders at a time.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import re
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sized
from datetime import datetime
from functools import wraps
from types import FrameType
from typing import Any, NoReturn, TypeVar

import jinja2
from jinja2.ext import loopcontrols
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace

from app.engine.worker.dialect import Generation, Generator

T = TypeVar("T")

TIME_LIMIT_S = 2.0
LAST_LIMIT_S = 10.0  # of the clock, not of work: what computes so long in one call is ended with the process
VALUE_LIMIT = 4_000_000  # characters and elements of one value; the conversation's own length comes on top
ELEMENT = 16  # what an element of a list counts, in characters: it takes that much memory at least
TOTAL_FACTOR = 32  # all values together, in value limits
WORK_FACTOR = 50  # steps of one operation, in value limits: some tenths of a second
SOURCE_LIMIT = 512_000
_INTEGER_BITS = 4096
_WIDEST = 10_000  # what a width of four digits makes of a field
_WIDTH = re.compile(r"\d{5}|\*")
_NESTED = re.compile(r"\{[^{}:]*:[^{}]*\{")  # a field within a field's format; linear, unlike `[^{}]*:` at the start
# What chat templates use, and what is linear in its input. Others (lipsum, urlize, pprint, ...) are not there.
_FILTERS = (
    "abs", "attr", "batch", "bool", "capitalize", "count", "d", "default", "dictsort", "e", "escape", "first", "float",
    "format", "groupby", "indent", "int", "items", "join", "last", "length", "list", "lower", "map", "max", "min",
    "reject", "rejectattr", "replace", "reverse", "round", "safe", "select", "selectattr", "slice", "sort", "string",
    "striptags", "sum", "title", "trim", "truncate", "unique", "upper", "wordcount",
)  # fmt: skip
# Their options, for those that may also be given by position.
_NAMES = {"replace": ("old", "new"), "join": ("d",), "trim": ("chars",), "sum": ("attribute", "start")}


class LimitReached(BaseException):
    """The template went beyond a limit; the text says which. Not an Exception, so that a template cannot survive it."""


class TemplateRaised(jinja2.TemplateError):
    """The template called raise_exception: it refuses this conversation."""


class _Budget:
    """What is left of the limits of one run."""

    def __init__(self, extra: int = 0) -> None:
        self.value = VALUE_LIMIT + 4 * extra
        self.total = self.value * TOTAL_FACTOR
        self.deadline = time.perf_counter() + TIME_LIMIT_S
        self.work = time.thread_time() + TIME_LIMIT_S

    def refuse(self, what: str) -> NoReturn:
        raise LimitReached(what)

    def bound(self, size: float) -> None:
        """Refuse to make a value of this size."""
        if size > self.value:
            self.refuse("a value grew too large")

    def effort(self, steps: float) -> None:
        """Refuse an operation of so many steps."""
        if steps > self.value * WORK_FACTOR:
            self.refuse("it would compute too long")

    def charge(self, value: T) -> T:
        """Count a new value, all that it contains included; shared parts count as often as they are printed."""
        size = self.measure(value)
        self.total -= size
        if self.total < 0:
            self.refuse("too much text was made")
        return value

    def measure(self, value: Any) -> int:
        """Size of a value; refused above the limit, which also ends endless and exponentially shared structures."""
        if isinstance(value, str | bytes):
            self.bound(len(value))
            return len(value)
        if value is None or isinstance(value, bool | float):
            return 1
        size, waiting = 0, [value]
        while waiting:
            item = waiting.pop()
            size += ELEMENT
            if isinstance(item, str | bytes):
                size += len(item)
            elif isinstance(item, int):
                if item.bit_length() > _INTEGER_BITS:
                    self.refuse("a number grew too large")
                size += item.bit_length() // 3  # its digits
            elif isinstance(item, Mapping):
                waiting.extend(item.keys())
                waiting.extend(item.values())
            elif isinstance(item, list | tuple | set | frozenset | range):
                waiting.extend(item)
            elif isinstance(item, Namespace):
                waiting.append(item._Namespace__attrs)
            # The container's parts wait, and so does what they hold: together they may not exceed the limit.
            if size + ELEMENT * len(waiting) > self.value:
                self.refuse("a value grew too large")
        return size


class Environment(ImmutableSandboxedEnvironment):
    """The environment Transformers gives chat templates, with limits. `run` is the only way in."""

    code_generator_class = Generator
    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self) -> None:
        super().__init__(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols, Generation])
        self._budget = _Budget()
        self.finalize = self._printed
        self.concat = self._concat  # type: ignore[method-assign] # Jinja2 calls it as a plain function
        self.filters = {name: self._guarded(self.filters[name], name) for name in _FILTERS if name in self.filters}
        self.filters["tojson"] = self._guarded(_tojson, "tojson")
        self.globals = {name: self.globals[name] for name in ("range", "dict", "cycler", "joiner", "namespace")}
        self.globals["raise_exception"] = _raise_exception
        self.globals["strftime_now"] = _strftime_now

    def run(self, action: Callable[[], str], extra: int = 0) -> str:
        """Run `action` (compiling or rendering with this environment) under the limits; `extra`: size of its input.

        Raises LimitReached, and what a template's faults raise.
        """
        self._budget = budget = _Budget(extra)
        clock, deadline = time.perf_counter, budget.deadline
        worked, work = time.thread_time, budget.work

        def look(frame: FrameType, _event: str, _argument: object) -> Any:
            if frame.f_code.co_filename == here:
                return None  # the checks here have a bound of their own, and are half of what runs
            if clock() > deadline and worked() > work:  # a busy machine's waiting is not the template's fault
                raise LimitReached(f"it ran longer than {TIME_LIMIT_S:g} s")
            return look

        here = look.__code__.co_filename  # in a frozen build that is not __file__
        before = sys.gettrace()
        with contextlib.suppress(RuntimeError):  # there is no memory for its thread
            faulthandler.dump_traceback_later(LAST_LIMIT_S, exit=True, file=2)
        sys.settrace(look)
        try:
            return action()
        except RecursionError as error:
            raise LimitReached("it recurses too deeply") from error
        except OverflowError as error:  # the sandbox's own limit of range()
            raise LimitReached(str(error)) from error
        except MemoryError as error:
            raise LimitReached("it needs too much memory") from error
        finally:
            sys.settrace(before)
            faulthandler.cancel_dump_traceback_later()

    def rendered(self, template: jinja2.Template, variables: Mapping[str, Any]) -> str:
        """The whole output; to be called within `run`."""
        return self._concat(template.generate(**variables))

    # --- called by compiled templates ---------------------------------------------------------------------------------

    def charged(self, value: T) -> T:
        """A value just made, counted."""
        return self._budget.charge(value)

    def joined(self, parts: Iterable[Any]) -> str:
        """The operator `~`."""
        self._budget.bound(sum(map(self._budget.measure, parts)))
        return self.charged("".join(map(str, parts)))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        budget = self._budget
        if operator == "*":
            for one, other in ((left, right), (right, left)):
                if isinstance(one, int) and isinstance(other, str | bytes | list | tuple):
                    budget.bound(budget.measure(other) * max(one, 0))
        elif operator == "**" and isinstance(left, int) and isinstance(right, int):
            if left.bit_length() * max(right, 0) > _INTEGER_BITS:
                budget.refuse("a number grew too large")
        elif operator == "%" and isinstance(left, str | bytes):
            self._check_format(left, right)
        return self.charged(super().call_binop(context, operator, left, right))

    def call(self, context: Context, obj: Any, *args: Any, **kwargs: Any) -> Any:
        method = getattr(obj, "__wrapped__", obj)  # the sandbox wraps str.format
        owner, name = getattr(method, "__self__", None), getattr(method, "__name__", "")
        if isinstance(owner, str | bytes):
            args = self._check_method(owner, name, args, kwargs)
        elif isinstance(owner, int) and name == "to_bytes":
            self._budget.refuse("to_bytes")
        return self.charged(super().call(context, obj, *args, **kwargs))

    def _check_method(self, owner: Any, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Any, ...]:
        """Refuse a method of a string whose result would be large; its arguments, generators made lists."""
        budget = self._budget
        numbers = [abs(value) for value in (*args, *kwargs.values()) if isinstance(value, int)]
        largest = max(numbers, default=0)
        if name in ("center", "ljust", "rjust", "zfill"):
            budget.bound(largest)
        elif name == "expandtabs":
            budget.bound(len(owner) * max(largest, 8))
        elif (
            name == "replace"
            and len(args) >= 2
            and isinstance(args[0], type(owner))
            and isinstance(args[1], type(owner))
        ):
            budget.bound(len(owner) + owner.count(args[0]) * len(args[1]))
        elif name == "join" and args:
            args = (list(args[0]), *args[1:])
            budget.bound(budget.measure(args[0]) + len(owner) * len(args[0]))
        elif name in ("format", "format_map"):
            self._check_format(owner, [*args, *kwargs.values()])
        elif name in ("strip", "lstrip", "rstrip", "rfind", "rindex", "rsplit", "rpartition"):
            budget.effort(len(owner) * max((len(value) for value in args if isinstance(value, str | bytes)), default=0))
        elif name == "translate":
            budget.refuse("translate")
        return args

    def _check_format(self, pattern: Any, values: Any) -> None:
        """Refuse a format that can make much of its values: each field may show all of them."""
        text = pattern if isinstance(pattern, str) else bytes(pattern).decode("latin-1")
        if _WIDTH.search(text) or (text.count("{") > 1 and _NESTED.search(text)):
            self._budget.refuse("a width in a format")
        fields = text.count("{") + text.count("%")
        self._budget.bound(len(text) + fields * (_WIDEST + self._budget.measure(values)))

    def _guarded(self, function: Callable[..., Any], name: str) -> Callable[..., Any]:
        first = 1 if hasattr(function, "jinja_pass_arg") else 0  # where the filtered value is

        @wraps(function)  # keeps Jinja2's mark of whether the context is passed
        def guarded(*args: Any, **kwargs: Any) -> Any:
            if name == "join" and len(args) > first and not isinstance(args[first], Sized):
                args = (*args[:first], list(args[first]), *args[first + 1 :])
            sizes = [self._budget.measure(value) for value in (*args[first:], *kwargs.values())]
            self._check_filter(name, sizes, args[first:], kwargs)
            return self.charged(function(*args, **kwargs))

        return guarded

    def _check_filter(self, name: str, sizes: list[int], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Refuse a filter whose result would be much larger than its arguments, or that would compute too long."""
        budget = self._budget
        options = (*args[1:], *kwargs.values())
        named = {**dict(zip(_NAMES.get(name, ()), args[1:], strict=False)), **kwargs}
        largest = max((abs(value) for value in options if isinstance(value, int)), default=0)
        texts = [str(value) for value in options if isinstance(value, str)]
        if name in ("round", "batch", "slice", "truncate"):
            budget.bound(largest * 40)
        elif name == "indent":
            budget.bound(sizes[0] + str(args[0]).count("\n") * max(largest, *map(len, texts), 0))
        elif name == "tojson":
            budget.bound(sizes[0] * max(largest, *map(len, texts), 1))
        elif name == "format":
            self._check_format(str(args[0]), options)
        elif name == "replace":
            text, old, new = str(args[0]), str(named.get("old", "")), str(named.get("new", ""))
            budget.bound(len(text) + text.count(old) * len(new))
        elif name == "join":
            budget.bound(sizes[0] + len(args[0]) * len(str(named.get("d", ""))))
        elif name == "trim" and isinstance(named.get("chars"), str):
            budget.effort(sizes[0] * len(named["chars"]))
        elif name == "sum" and isinstance(named.get("start"), list | tuple) and isinstance(args[0], Sized):
            budget.effort(len(args[0]) * sizes[0])  # each step copies all before

    def _printed(self, value: Any) -> Any:
        if not isinstance(value, str):
            self._budget.measure(value)
        return value

    def _concat(self, parts: Iterable[str]) -> str:
        budget, size = self._budget, 0
        kept: list[str] = []
        for part in parts:
            size += len(part)
            budget.bound(size + len(kept))
            kept.append(part)
        return self.charged("".join(kept))


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | str | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """JSON as Transformers writes it into prompts: not escaped for HTML, which Jinja2's own filter does."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _raise_exception(message: object) -> NoReturn:
    raise TemplateRaised(str(message)[:500])


def _strftime_now(pattern: str) -> str:
    return datetime.now().strftime(str(pattern)[:100])
