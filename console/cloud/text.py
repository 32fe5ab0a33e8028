"""Marking of the few English sentences this package shows to people.

The package imports no Django, so it cannot translate. It marks its sentences with `gettext_noop`, which gettext's extractor
knows, and whoever shows them looks the translation up.
"""

from __future__ import annotations


def gettext_noop(message: str) -> str:
    """Mark `message` as a sentence to translate; returns it unchanged."""
    return message


class Sentence(str):
    """A finished English sentence that remembers how it was made.

    It is its own English text. `template` is the msgid and `values` fill it, so that a page can show
    `_(s.template) % s.values` instead. `position` is the entry of a list it speaks of, counted from 1.
    """

    template: str
    values: dict[str, object]
    position: int | None

    def __new__(cls, template: str, *, position: int | None = None, **values: object) -> Sentence:
        text = template % values if values else template
        self = super().__new__(cls, text if position is None else f"{position}: {text}")
        self.template = template
        self.values = values
        self.position = position
        return self

    def at(self, position: int) -> Sentence:
        """The same sentence, said of one entry of a list."""
        return Sentence(self.template, position=position, **self.values)
