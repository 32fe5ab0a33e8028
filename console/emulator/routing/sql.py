"""The two parts of a rule's SQL, SELECT and WHERE, checked for their grammar.

    select     = item {"," item}
    item       = ("*" | condition) [["AS"] alias]
    condition  = and {"OR" and};  and = not {"AND" not};  not = ["NOT"] comparison
    comparison = sum [("=" | "<>" | "!=" | "<" | ">" | "<=" | ">=" | ["NOT"] "LIKE") sum
                      | ["NOT"] "IN" "(" list ")" | ["NOT"] "BETWEEN" sum "AND" sum | "IS" ["NOT"] "NULL"]
    sum        = product {("+" | "-") product};  product = value {("*" | "/" | "%") value}
    value      = ["-"] (number | 'text' | field | function | "(" condition ")" | case)
    field      = name {"." name | "[" number "]"}
    case       = "CASE" [condition] {"WHEN" condition "THEN" condition} ["ELSE" condition] "END"

Only known functions may be called, with a number of arguments they have. A binary message has no fields: of it only
`*` and functions can be selected.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from console.emulator.errors import ServiceError

MAX_LENGTH = 5000  # characters; the platform names no limit, a parser needs one
_MAX_DEPTH = 40

# Name in lower case -> fewest and most arguments.
FUNCTIONS: dict[str, tuple[int, int]] = {
    "abs": (1, 1), "asin": (1, 1), "attribute": (1, 1), "concat": (2, 9), "cos": (1, 1), "cosh": (1, 1),
    "crypto": (2, 2), "devicename": (0, 0), "endswith": (2, 2), "exp": (1, 1), "floor": (1, 1), "log": (1, 2),
    "lower": (1, 1), "messageid": (0, 0), "mod": (2, 2), "nanvl": (2, 2), "newuuid": (0, 0), "payload": (0, 1),
    "power": (2, 2), "productkey": (0, 0), "rand": (0, 0), "replace": (3, 3), "round": (1, 2), "sin": (1, 1),
    "sinh": (1, 1), "substring": (2, 3), "tan": (1, 1), "tanh": (1, 1), "thingpropertyflat": (1, 9),
    "timestamp": (0, 1), "timestamp_utc": (0, 1), "to_base64": (1, 1), "to_hex": (1, 1), "topic": (0, 1),
    "upper": (1, 1), "user_property": (0, 1),
}  # fmt: skip

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<number>\d+(?:\.\d+)?)(?![\w])
      | (?P<text>'(?:[^']|'')*')
      | (?P<quoted>"[^"]+"|`[^`]+`)
      | (?P<name>[^\W\d][\w:]*)
      | (?P<sign><>|!=|<=|>=|[=<>+\-*/%(),.\[\]])
    )""",
    re.VERBOSE,
)
_WORDS = frozenset(
    {
        "AND", "OR", "NOT", "AS", "LIKE", "IN", "BETWEEN", "IS", "NULL", "CASE", "WHEN", "THEN", "ELSE", "END",
        "SELECT", "FROM", "WHERE", "JOIN", "GROUP", "ORDER",
    }
)  # fmt: skip
_COMPARISONS = frozenset({"=", "<>", "!=", "<", ">", "<=", ">="})


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  # number, text, quoted, name, word, sign, end
    value: str


def check_select(text: str, binary: bool = False) -> None:
    """Raise `iot.messagebroker.IncorrectRuleSql` unless it can follow SELECT."""
    parser = _Parser(text, binary)
    parser.select()
    parser.expect_end()


def check_where(text: str, binary: bool = False) -> None:
    """Raise `iot.messagebroker.IncorrectRuleSql` unless it can follow WHERE."""
    parser = _Parser(text, binary)
    parser.condition()
    parser.expect_end()


def _wrong(message: str) -> ServiceError:
    return ServiceError("iot.messagebroker.IncorrectRuleSql", message)


def _tokens(text: str) -> list[_Token]:
    if len(text) > MAX_LENGTH:
        raise _wrong(f"The SQL is longer than {MAX_LENGTH} characters.")
    tokens, at, end = [], 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise _wrong(f"The SQL cannot be read from here on: {text[at : at + 20].strip()}")
        kind, value = match.lastgroup, match[match.lastgroup]
        if kind == "name" and value.upper() in _WORDS:
            kind, value = "word", value.upper()
        tokens.append(_Token(kind, value))
        at = match.end()
    tokens.append(_Token("end", "its end"))
    return tokens


class _Parser:
    """Goes through the tokens once, and raises at the first that does not fit."""

    def __init__(self, text: str, binary: bool) -> None:
        self._rest = _tokens(text)
        self._at = 0
        self._depth = 0
        self._binary = binary

    @property
    def _next(self) -> _Token:
        return self._rest[self._at]

    def _take(self, *values: str) -> bool:
        """Go past the next token if it is one of these words or signs."""
        if self._next.kind in ("word", "sign") and self._next.value in values:
            self._at += 1
            return True
        return False

    def _need(self, value: str) -> None:
        if not self._take(value):
            raise _wrong(f"The SQL needs {value} before {self._next.value}.")

    def expect_end(self) -> None:
        """Refuse what is left over."""
        if self._next.kind != "end":
            raise _wrong(f"The SQL does not go on with {self._next.value}.")

    def select(self) -> None:
        """A list of what is selected."""
        while True:
            if not self._take("*"):
                self.condition()
                if self._take("AS") or self._next.kind in ("name", "quoted"):
                    self._alias()
            if not self._take(","):
                return

    def _alias(self) -> None:
        if self._next.kind not in ("name", "quoted"):
            raise _wrong(f"{self._next.value} cannot be an alias.")
        self._at += 1

    def condition(self) -> None:
        """Anything with a value."""
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise _wrong("The SQL is nested too deeply.")
        self._conjunction()
        while self._take("OR"):
            self._conjunction()
        self._depth -= 1

    def _conjunction(self) -> None:
        self._negation()
        while self._take("AND"):
            self._negation()

    def _negation(self) -> None:
        while self._take("NOT"):
            pass
        self._comparison()

    def _comparison(self) -> None:
        self._sum()
        if self._take(*_COMPARISONS):
            self._sum()
        elif self._take("IS"):
            self._take("NOT")
            self._need("NULL")
        else:
            negated = self._take("NOT")
            if self._take("LIKE"):
                self._sum()
            elif self._take("IN"):
                self._need("(")
                self._list()
            elif self._take("BETWEEN"):
                self._sum()
                self._need("AND")
                self._sum()
            elif negated:
                raise _wrong(f"The SQL cannot have NOT before {self._next.value}.")

    def _sum(self) -> None:
        self._product()
        while self._take("+", "-"):
            self._product()

    def _product(self) -> None:
        self._value()
        while self._take("*", "/", "%"):
            self._value()

    def _value(self) -> None:
        while self._take("-"):
            pass
        token = self._next
        if token.kind in ("number", "text"):
            self._at += 1
        elif token.kind in ("name", "quoted"):
            self._named()
        elif self._take("("):
            self.condition()
            self._need(")")
        elif self._take("CASE"):
            self._case()
        elif not self._take("NULL"):
            raise _wrong(f"The SQL needs a value before {token.value}.")

    def _named(self) -> None:
        token = self._next
        self._at += 1
        if token.kind == "name" and self._take("("):
            self._function(token.value)
            return
        if self._binary:
            raise _wrong(f"A binary message has no field {token.value}.")
        while True:
            if self._take("."):
                if self._next.kind not in ("name", "quoted", "word"):
                    raise _wrong(f"{self._next.value} cannot be part of a field.")
                self._at += 1
            elif self._take("["):
                if not self._next.value.isdigit():
                    raise _wrong("An element of a list is named by its number.")
                self._at += 1
                self._need("]")
            else:
                return

    def _function(self, name: str) -> None:
        if name.lower() not in FUNCTIONS:
            raise _wrong(f"There is no function {name}.")
        fewest, most = FUNCTIONS[name.lower()]
        count = 0
        if not self._take(")"):
            count = self._list(star=name.lower() in ("to_base64", "to_hex"))
        if not fewest <= count <= most:
            raise _wrong(f"{name} does not take {count} arguments.")

    def _list(self, star: bool = False) -> int:
        """Values up to a closing bracket; returns how many."""
        count = 0
        while True:
            if not (star and self._take("*")):
                self.condition()
            count += 1
            if self._take(")"):
                return count
            self._need(",")

    def _case(self) -> None:
        if not (self._next.kind == "word" and self._next.value == "WHEN"):
            self.condition()
        self._need("WHEN")
        while True:
            self.condition()
            self._need("THEN")
            self.condition()
            if not self._take("WHEN"):
                break
        if self._take("ELSE"):
            self.condition()
        self._need("END")
