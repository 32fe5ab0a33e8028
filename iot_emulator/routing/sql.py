"""Checks the grammar of a rule's SQL, which has two parts: SELECT and WHERE.

    select     = item {"," item}
    item       = ("*" | condition) [["AS"] alias]
    condition  = and {"OR" and};  and = not {"AND" not};  not = ["NOT"] comparison
    comparison = sum [("=" | "<>" | "!=" | "<" | ">" | "<=" | ">=" | ["NOT"] "LIKE") sum
                      | ["NOT"] "IN" "(" list ")" | ["NOT"] "BETWEEN" sum "AND" sum | "IS" ["NOT"] "NULL"]
    sum        = product {("+" | "-") product};  product = value {("*" | "/" | "%") value}
    value      = ["-"] (number | 'text' | field | function | "(" condition ")" | case)
    field      = name {"." name | "[" number "]"}
    case       = "CASE" [condition] {"WHEN" condition "THEN" condition} ["ELSE" condition] "END"

Only known functions are allowed, with a valid number of arguments. A binary message has no fields, so only `*` and
functions can be selected.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from iot_emulator.errors import ServiceError

MAX_LENGTH = 5000  # characters; the platform documents no limit, but a parser needs one
_MAX_DEPTH = 40

# Name in lowercase -> minimum and maximum number of arguments.
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
    """Raise `iot.messagebroker.IncorrectRuleSql` unless the text is valid after SELECT."""
    parser = _Parser(text, binary)
    parser.select()
    parser.expect_end()


def check_where(text: str, binary: bool = False) -> None:
    """Raise `iot.messagebroker.IncorrectRuleSql` unless the text is valid after WHERE."""
    parser = _Parser(text, binary)
    parser.condition()
    parser.expect_end()


def _invalid_sql(message: str) -> ServiceError:
    return ServiceError("iot.messagebroker.IncorrectRuleSql", message)


def _split_tokens(text: str) -> list[_Token]:
    if len(text) > MAX_LENGTH:
        raise _invalid_sql(f"The SQL can have at most {MAX_LENGTH:,} characters.")
    tokens, at, end = [], 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise _invalid_sql(f"Invalid SQL at: {text[at : at + 20].strip()}")
        kind, value = match.lastgroup, match[match.lastgroup]
        if kind == "name" and value.upper() in _WORDS:
            kind, value = "word", value.upper()
        tokens.append(_Token(kind, value))
        at = match.end()
    tokens.append(_Token("end", "the end"))
    return tokens


class _Parser:
    """Reads the tokens once, and raises an error at the first invalid token."""

    def __init__(self, text: str, binary: bool) -> None:
        self._tokens = _split_tokens(text)
        self._position = 0
        self._depth = 0
        self._binary = binary

    @property
    def _next(self) -> _Token:
        return self._tokens[self._position]

    def _accept(self, *values: str) -> bool:
        """Skip the next token if it is one of these words or signs; return whether it is."""
        if self._next.kind in ("word", "sign") and self._next.value in values:
            self._position += 1
            return True
        return False

    def _expect(self, value: str) -> None:
        if not self._accept(value):
            raise _invalid_sql(f"{value} is missing before {self._next.value}.")

    def expect_end(self) -> None:
        """Raise an error if there are more tokens."""
        if self._next.kind != "end":
            raise _invalid_sql(f"Unexpected text: {self._next.value}.")

    def select(self) -> None:
        """Read the list after SELECT."""
        while True:
            if not self._accept("*"):
                self.condition()
                if self._accept("AS") or self._next.kind in ("name", "quoted"):
                    self._alias()
            if not self._accept(","):
                return

    def _alias(self) -> None:
        if self._next.kind not in ("name", "quoted"):
            raise _invalid_sql(f"{self._next.value} cannot be an alias.")
        self._position += 1

    def condition(self) -> None:
        """Read an expression."""
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise _invalid_sql("The SQL is nested too deeply.")
        self._conjunction()
        while self._accept("OR"):
            self._conjunction()
        self._depth -= 1

    def _conjunction(self) -> None:
        self._negation()
        while self._accept("AND"):
            self._negation()

    def _negation(self) -> None:
        while self._accept("NOT"):
            pass
        self._comparison()

    def _comparison(self) -> None:
        self._sum()
        if self._accept(*_COMPARISONS):
            self._sum()
        elif self._accept("IS"):
            self._accept("NOT")
            self._expect("NULL")
        else:
            negated = self._accept("NOT")
            if self._accept("LIKE"):
                self._sum()
            elif self._accept("IN"):
                self._expect("(")
                self._list()
            elif self._accept("BETWEEN"):
                self._sum()
                self._expect("AND")
                self._sum()
            elif negated:
                raise _invalid_sql(f"NOT is not allowed before {self._next.value}.")

    def _sum(self) -> None:
        self._product()
        while self._accept("+", "-"):
            self._product()

    def _product(self) -> None:
        self._value()
        while self._accept("*", "/", "%"):
            self._value()

    def _value(self) -> None:
        while self._accept("-"):
            pass
        token = self._next
        if token.kind in ("number", "text"):
            self._position += 1
        elif token.kind in ("name", "quoted"):
            self._field_or_function()
        elif self._accept("("):
            self.condition()
            self._expect(")")
        elif self._accept("CASE"):
            self._case()
        elif not self._accept("NULL"):
            raise _invalid_sql(f"A value is missing before {token.value}.")

    def _field_or_function(self) -> None:
        token = self._next
        self._position += 1
        if token.kind == "name" and self._accept("("):
            self._function(token.value)
            return
        if self._binary:
            raise _invalid_sql(f"A binary message has no fields, but the SQL uses {token.value}.")
        while True:
            if self._accept("."):
                if self._next.kind not in ("name", "quoted", "word"):
                    raise _invalid_sql(f"{self._next.value} cannot be part of a field.")
                self._position += 1
            elif self._accept("["):
                if not self._next.value.isdigit():
                    raise _invalid_sql("The index of a list element must be a number.")
                self._position += 1
                self._expect("]")
            else:
                return

    def _function(self, name: str) -> None:
        if name.lower() not in FUNCTIONS:
            raise _invalid_sql(f"The function {name} does not exist.")
        min_arguments, max_arguments = FUNCTIONS[name.lower()]
        count = 0
        if not self._accept(")"):
            count = self._list(star=name.lower() in ("to_base64", "to_hex"))
        if not min_arguments <= count <= max_arguments:
            raise _invalid_sql(f"The function {name} cannot have {count} arguments.")

    def _list(self, star: bool = False) -> int:
        """Read values up to a closing parenthesis; return their number."""
        count = 0
        while True:
            if not (star and self._accept("*")):
                self.condition()
            count += 1
            if self._accept(")"):
                return count
            self._expect(",")

    def _case(self) -> None:
        if not (self._next.kind == "word" and self._next.value == "WHEN"):
            self.condition()
        self._expect("WHEN")
        while True:
            self.condition()
            self._expect("THEN")
            self.condition()
            if not self._accept("WHEN"):
                break
        if self._accept("ELSE"):
            self.condition()
        self._expect("END")
