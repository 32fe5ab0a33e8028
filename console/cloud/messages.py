"""The sentences for people that lie in data files, where the extractor of gettext does not look.

`python -m console.cloud.messages` prints them as a template to translate (`.pot`), for `console/cloud/translations`
(docs/translations.md): operations and parameters of the catalogue (`catalogue/text/`), error codes (`codes/`).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

from console.cloud.catalogue import operations
from console.cloud.codes import meanings


def messages() -> Iterator[tuple[str, str]]:
    """(where it is said, English sentence), each place once; a sentence may be said in several places."""
    for op in operations().values():
        yield op.name, op.description
        for parameter in op.parameters.values():
            yield f"{op.name}.{parameter.name}", parameter.description
    for code, meaning in meanings().items():
        yield code, meaning.title
        yield code, meaning.advice


def template() -> str:
    """The `.pot` file: each sentence once, with the first places that say it."""
    places: dict[str, list[str]] = {}
    for place, text in messages():
        places.setdefault(text, []).append(place)
    entries = ['msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"']
    for text, said in places.items():
        quoted = json.dumps(text, ensure_ascii=False)
        entries.append(f'#. {", ".join(said[:3])}\nmsgid {quoted}\nmsgstr ""')
    return "\n\n".join(entries) + "\n"


if __name__ == "__main__":
    sys.stdout.write(template())
