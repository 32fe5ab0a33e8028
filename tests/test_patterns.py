"""Every regular expression of the project takes a time that grows with the length of its text, not with its square.

The patterns are found in the source and in the catalogue. Each is run over texts that are built from its own parts and nearly
match: long runs, repeated beginnings, a run behind each beginning, with and without a wrong end.
"""

from __future__ import annotations

import ast
import importlib
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import product
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from console.connections.scope.sql import parse_statement
from iot_client.catalogue import operations
from iot_emulator import device_sql
from iot_emulator.errors import ServiceError
from iot_emulator.routing.sql import check_select, check_where
from tests.console_process import CHECKOUT

PACKAGES = ("console", "iot_client", "iot_emulator")
METHODS = {"match", "search", "fullmatch", "sub", "subn", "split", "findall", "finditer"}
# The only place that compiles patterns from elsewhere: those of the catalogue, which the test reads itself.
COMPILES_CATALOGUE = {"iot_client/catalogue/check.py"}
LENGTH = 3000
SUSPICIOUS = 0.0015  # seconds of the processor: a pattern that takes longer is measured with care
SECONDS = 2.0  # a pattern that takes longer is slow without any measuring
ENDS = ("", "!", "a", " ", "\n")
Place = str
Run = Callable[[Any], object]


# -- finding the patterns ---------------------------------------------------------------------------------------------


def read_modules() -> Iterator[tuple[str, ast.Module, ModuleType]]:
    """Yield path, tree and module of each file."""
    for package in PACKAGES:
        for path in sorted(Path(CHECKOUT, package).rglob("*.py")):
            source = path.read_text(encoding="utf-8")
            where = path.relative_to(CHECKOUT)
            if re.search(r"\bre\.|regex=|pattern=|RegexValidator", source) and path.stem != "__main__":
                name = ".".join(where.with_suffix("").parts).removesuffix(".__init__")
                yield where.as_posix(), ast.parse(source), importlib.import_module(name)


def find_patterns() -> tuple[dict[Place, tuple[re.Pattern[Any], set[str]]], list[Place]]:
    """Return the patterns by place, with the methods that are called, and the places whose pattern cannot be read."""
    modules = list(read_modules())
    used: dict[str, set[str]] = {}
    for _where, tree, _module in modules:
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr in METHODS:
                used.setdefault(ast.unparse(node.value).rpartition(".")[2], set()).add(node.attr)
    patterns: dict[Place, tuple[re.Pattern[Any], set[str]]] = {}
    unreadable = []
    for where, tree, module in modules:
        names = {
            id(node.value): target.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign) and isinstance(target := node.targets[0], ast.Name)
        }
        for node in ast.walk(tree):
            for argument, flags, method in read_call(node):
                place = f"{where}:{argument.lineno}"
                try:
                    values = [eval(ast.unparse(part), vars(module)) for part in (argument, flags) if part]
                except NameError:
                    unreadable.append(place)
                    continue
                methods = {method} if method else used.get(names.get(id(node), ""), {"search", "fullmatch"})
                patterns[place] = re.compile(*values), methods
        for name, value in vars(module).items():  # tables of patterns
            if isinstance(value, tuple | list | dict):
                for number, pattern in enumerate(find_compiled(value)):
                    patterns[f"{where}:{name}[{number}]"] = pattern, {"search"}
    for operation in operations().values():
        for parameter in operation.parameters.values():
            if parameter.pattern:
                place = f"catalogue: {operation.name} {parameter.name}"
                patterns[place] = re.compile(parameter.pattern, re.DOTALL), {"fullmatch"}
    return patterns, unreadable


def read_call(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr | None, str]]:
    """Yield the pattern of a call, its flags, and the method by which it is used; "" if another line uses it."""
    if not isinstance(node, ast.Call):
        return
    callee = ast.unparse(node.func)
    flags = next((part for part in node.args[1:] if ast.unparse(part).startswith("re.")), None)
    flags = next((part.value for part in node.keywords if part.arg == "flags"), flags)
    if callee.startswith("re.") and callee[3:] in METHODS | {"compile"}:
        yield node.args[0], flags, callee[3:].replace("compile", "")
    elif callee.endswith("RegexValidator") and node.args:
        yield node.args[0], flags, "search"
    for keyword in node.keywords:
        if keyword.arg in ("regex", "pattern") and isinstance(keyword.value, ast.Constant):
            yield keyword.value, flags, "search"


def find_compiled(value: Any) -> Iterator[re.Pattern[Any]]:
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, dict):
        yield from find_compiled(list(value.values()))
    elif isinstance(value, tuple | list):
        for inner in value:
            yield from find_compiled(inner)


# -- building hostile texts -------------------------------------------------------------------------------------------

_CATEGORIES = {
    "DIGIT": "7",
    "SPACE": " \t",
    "WORD": "a_",
    "NOT_DIGIT": "a",
    "NOT_SPACE": "a",
    "NOT_WORD": " -",
}


class Shape:
    """The parts of a pattern. `samples`: texts that nearly match; `runs`: the text before each repetition and its repeated text."""

    def __init__(self, pattern: re.Pattern[Any]) -> None:
        self.letters: set[str] = set()
        self.runs: set[tuple[str, str]] = set()
        source = pattern.pattern
        text = source.decode("latin-1") if isinstance(source, bytes) else source
        self.samples = self._walk(re._parser.parse(text, pattern.flags & ~re.ASCII & ~re.UNICODE), [""])

    def _walk(self, parts: Any, before: list[str]) -> list[str]:
        """Return the samples of `parts` behind each text of `before`, four of them at most."""
        for operation, argument in parts:
            name = str(operation)
            if "REPEAT" in name:
                _least, most, body = argument
                own = self._walk(body, [""])
                self.runs |= {(text, unit) for text in before for unit in own if unit}
                before = [text + unit for text, unit in product(before, own if most else [""])]
            elif name == "SUBPATTERN":
                before = self._walk(argument[-1], before)
            elif name == "ATOMIC_GROUP":
                before = self._walk(argument, before)
            elif name == "BRANCH":
                ways = [self._walk(way, before) for way in argument[1]]
                before = [way[0] for way in ways] + [text for way in ways for text in way[1:]]
            elif name in ("LITERAL", "IN", "ANY", "NOT_LITERAL"):
                letters = self._letters(name, argument)
                before = [text + letter for letter, text in product(letters, before)]
            before = list(dict.fromkeys(before))[:4]
        return before

    def _letters(self, name: str, argument: Any) -> list[str]:
        """Return up to three characters that a part accepts."""
        if name == "LITERAL":
            found = [chr(argument)]
        elif name == "ANY":
            found = ["a", " ", "("]
        elif name == "NOT_LITERAL":
            found = [letter for letter in "a (" if ord(letter) != argument]
        else:
            found, is_negated = [], False
            for kind, value in argument:
                if str(kind) == "NEGATE":
                    is_negated = True
                elif str(kind) == "CATEGORY":
                    found += _CATEGORIES[str(value).removeprefix("CATEGORY_").removeprefix("UNI_")]
                else:
                    found.append(chr(value[0] if isinstance(value, tuple) else value))
            self.letters |= set(found)
            if is_negated:
                found = [letter for letter in "a ([{\"'" if letter not in found]
        self.letters |= set(found)
        return found[:1] + found[-2:]


def build_texts(pattern: re.Pattern[Any]) -> Iterator[Callable[[int], Any]]:
    """Yield functions that build a hostile text of about a given length."""
    shape = Shape(pattern)
    letters = sorted(shape.letters | {" ", "a"})[:20]
    starts = {("", letter) for letter in letters} | {("", sample) for sample in shape.samples if sample}
    starts |= {("", first + second) for first, second in product(letters[:5], repeat=2)}
    starts |= {("", text + unit) for text, unit in shape.runs}
    for (start, unit), end in [*product(sorted(starts), ENDS[:2]), *product(sorted(shape.runs), ENDS)]:

        def build(length: int, start: str = start, unit: str = unit, end: str = end) -> Any:
            text = start + unit * (length // len(unit)) + end
            return text.encode("utf-8") if isinstance(pattern.pattern, bytes) else text

        yield build


# -- measuring --------------------------------------------------------------------------------------------------------


class TooSlow(Exception):
    pass


@contextmanager
def time_limit() -> Iterator[None]:
    """Raises TooSlow in a block that takes longer than SECONDS."""

    def end(*_arguments: object) -> None:
        raise TooSlow

    earlier = signal.signal(signal.SIGALRM, end)
    rest = signal.setitimer(signal.ITIMER_REAL, SECONDS)  # pytest's own limit
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, *rest)
        signal.signal(signal.SIGALRM, earlier)


def measure(run: Run, text: Any, tries: int = 1) -> float:
    """Return the seconds of the fastest try. Only the time of this thread counts: other processes may be busy."""
    best = SECONDS
    for _try in range(tries):
        start = time.thread_time()
        run(text)
        best = min(best, time.thread_time() - start)
    return best


def find_slow_text(pattern: re.Pattern[Any], method: str) -> str:
    """Return the start of a text over which the pattern is slow; "" if there is none."""
    run: Run = getattr(pattern, "findall" if method not in ("match", "fullmatch") else method)
    for build in build_texts(pattern):
        text = build(LENGTH)
        try:
            with time_limit():
                if measure(run, text) < SUSPICIOUS:
                    continue
                short, long = measure(run, text, 5), measure(run, build(4 * LENGTH), 5)
        except TooSlow:
            return repr(text[:40])
        # Four times the length takes 4 times the time, or 16 times if it grows with the square.
        if long > max(8 * short, 0.01):
            return repr(text[:40])
    return ""


def test_no_pattern_takes_a_time_that_grows_with_the_square_of_its_text():
    patterns, unreadable = find_patterns()
    assert len(patterns) > 140
    checked: dict[tuple[Any, int, str], str] = {}
    slow = {}
    for place, (pattern, methods) in patterns.items():
        for method in sorted(methods):
            key = (pattern.pattern, pattern.flags, method)
            if key not in checked:
                checked[key] = find_slow_text(pattern, method)
            if checked[key]:
                slow[place] = f"{pattern.pattern!r} is slow over {checked[key]}…"
    assert slow == {}
    assert {place.partition(":")[0] for place in unreadable} <= COMPILES_CATALOGUE | {
        place.partition(":")[0] for place in patterns if "[" in place
    }, "the test cannot read a pattern that is built from local variables: make it a constant of its module"


@pytest.mark.parametrize(
    ("pattern", "method"),
    [
        (r"^\s*(?:tag|标签)\s*:\s*(.+?)\s*$", "match"),
        (r"\([^)]*\)|\[[^\]]*\]|[*]", "sub"),
        (r"\s+$", "search"),
        (r"<!--.*?-->", "search"),
        (r"[a-z]+@", "search"),
        (r"(a+)+b", "match"),
        (r"\w*\d*\w*;", "fullmatch"),
    ],
)
def test_a_slow_pattern_is_found(pattern, method):
    assert find_slow_text(re.compile(pattern, re.DOTALL), method)


@pytest.mark.parametrize("pattern", [r"[a-z]+", r"\w+(?:-\w+)*", r"\([^()]*\)", r"\s*(?:(\d+)|'([^']*)')"])
def test_a_fast_pattern_is_not_reported(pattern):
    assert not find_slow_text(re.compile(pattern), "fullmatch")


@pytest.mark.parametrize("parse", [check_select, check_where, device_sql.parse, parse_statement])
@pytest.mark.parametrize(
    "unit", ["(", " ", "'", '"', "\\", "a ", "a,", "not ", "-", "a = 1 and ", "case when ", '"a" or ']
)
def test_statements_are_parsed_in_a_time_that_grows_with_their_length(parse, unit):
    def run(text: str) -> None:
        with suppress(ServiceError):
            parse(text)

    for start in ("", "select * from device where ", '"', "a = '"):
        assert measure(run, start + unit * (20_000 // len(unit)), 3) < 0.5
