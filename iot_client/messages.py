"""The sentences for people that are in data files, where gettext's extractor does not look.

`python -m iot_client.messages` prints them as a translation template (`.pot`) for `iot_client/translations`
(docs/translations.md): operations and parameters of the catalogue (`catalogue/text/`), and error codes (`codes/`).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

from iot_client.catalogue import operations
from iot_client.codes import load_meanings


def list_messages() -> Iterator[tuple[str, str]]:
    """(place, English sentence), each place once. Several places may share a sentence."""
    for op in operations().values():
        yield op.name, op.description
        for parameter in op.parameters.values():
            yield f"{op.name}.{parameter.name}", parameter.description
    for code, meaning in load_meanings().items():
        yield code, meaning.title
        yield code, meaning.advice


def build_template() -> str:
    """The `.pot` file: each sentence once, with the first places that use it."""
    places_by_text: dict[str, list[str]] = {}
    for place, text in list_messages():
        places_by_text.setdefault(text, []).append(place)
    entries = ['msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"']
    for text, places in places_by_text.items():
        quoted = json.dumps(text, ensure_ascii=False)
        entries.append(f'#. {", ".join(places[:3])}\nmsgid {quoted}\nmsgstr ""')
    return "\n\n".join(entries) + "\n"


if __name__ == "__main__":
    sys.stdout.write(build_template())
