"""Parses statements of QueryDeviceBySQL: which products and groups limit the devices that a statement finds.

    SELECT * | count(*) | fields FROM device WHERE conditions [ORDER BY field [ASC|DESC]] [LIMIT [n,] k]

AND and OR join the conditions, without parentheses; AND binds more tightly. The parser is stricter than the platform: texts
contain no quotes and no backslashes, so that a statement has one meaning only. Other statements cannot be checked.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""\s*(?:"(?P<double>[^"'\\]*)"|'(?P<single>[^"'\\]*)'|(?P<number>-?\d+(?:\.\d+)?)|(?P<operator>!=|=|<|>)
    |(?P<mark>[(),*])|(?P<word>[A-Za-z_][\w.]*))""",
    re.VERBOSE | re.ASCII,
)
_HEAD = re.compile(r"select (?:\*|count \( \* \)|[a-z_.]+(?: , [a-z_.]+)*) from device where")
_TAIL = re.compile(r"(?:order by [a-z_.]+(?: asc| desc)?)?(?: ?limit #(?: , #)?)?")


@dataclass(frozen=True)
class Term:
    """One alternative of a statement. It finds only devices that are in all these products and all these groups."""

    products: frozenset[str]
    groups: frozenset[str]


@dataclass(frozen=True)
class Statement:
    """`terms`: the alternatives, joined by OR. `groups`: all groups that the statement names, in any condition."""

    terms: Sequence[Term]
    groups: frozenset[str]


def parse_statement(text: str) -> Statement | None:
    """The parsed statement; None if it does not have the supported form."""
    tokens = _tokens(text)
    if tokens is None:
        return None
    words = [
        value.lower() if kind == "word" else "#" if kind == "number" else value for kind, value in tokens
    ]
    kinds = [kind for kind, _value in tokens]
    if "where" not in words:
        return None
    start = words.index("where") + 1
    end = next(
        (at for at in range(start, len(words)) if kinds[at] == "word" and words[at] in ("order", "limit")),
        len(words),
    )
    if not _HEAD.fullmatch(" ".join(words[:start])) or not _TAIL.fullmatch(" ".join(words[end:])):
        return None
    return _conditions(tokens[start:end])


def _tokens(text: str) -> list[tuple[str, str]] | None:
    tokens, position, text = [], 0, text.strip().removesuffix(";").rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            return None
        kind = "text" if match.lastgroup in ("double", "single") else match.lastgroup
        tokens.append((kind, match[match.lastgroup]))
        position = match.end()
    return tokens


def _conditions(tokens: list[tuple[str, str]]) -> Statement | None:
    terms: list[tuple[set[str], set[str]]] = [(set(), set())]
    groups: set[str] = set()
    for at in range(0, len(tokens), 4):
        condition = tokens[at : at + 3]
        if len(condition) < 3 or condition[0][0] != "word":
            return None
        (_word, field), (kind, operator), (value_kind, value) = condition
        if not (kind == "operator" or (kind, operator.lower()) == ("word", "like")):
            return None
        if value_kind not in ("text", "number") and (value_kind, value.lower()) != ("word", "null"):
            return None
        if field.lower() == "product_key" and operator == "=" and value_kind != "word":
            terms[-1][0].add(value)
        if field.lower() == "group.group_id" and value_kind != "word":
            groups.add(value)
            if operator == "=":
                terms[-1][1].add(value)
        if at + 3 < len(tokens):
            kind, joiner = tokens[at + 3]
            if kind != "word" or joiner.lower() not in ("and", "or") or at + 4 == len(tokens):
                return None
            if joiner.lower() == "or":
                terms.append((set(), set()))
    if not tokens:
        return None
    return Statement(
        [Term(frozenset(products), frozenset(term_groups)) for products, term_groups in terms],
        frozenset(groups),
    )
