"""Marks the few English sentences that this package shows to people.

The package does not import Django, so it cannot translate. It marks its sentences with `gettext_noop`, which the
extractor of gettext recognizes. The caller that shows a sentence translates it.
"""

from __future__ import annotations


def gettext_noop(message: str) -> str:
    """Mark `message` as a sentence to translate. Returns it unchanged."""
    return message


class Sentence(str):
    """A finished English sentence that can be translated later.

    It is the English text itself. `template` is the msgid and `values` are its placeholders, so that a page can show
    `_(s.template) % s.values` instead. `position` is the number of the list entry that the sentence is about, from 1.
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

    def at_position(self, position: int) -> Sentence:
        """The same sentence about the list entry with this number."""
        return Sentence(self.template, position=position, **self.values)
