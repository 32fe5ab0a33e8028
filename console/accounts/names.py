"""Names that people give to the things of a team, compared as people read them."""

from __future__ import annotations

import unicodedata

# Characters without a shape that Unicode does not call format characters: fillers, joiners, variation selectors, a blank pattern.
_INVISIBLE = frozenset(
    map(chr, [0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, *range(0x180B, 0x180E), 0x2800, *range(0xFE00, 0xFE10)])
)


def fold_name(name: str) -> str:
    """Return a text that is equal for names that look the same: without case, full-width and other compatibility forms, invisible
    characters and repeated spaces."""
    visible = "".join(
        character
        for character in unicodedata.normalize("NFKC", name)
        if character not in _INVISIBLE and unicodedata.category(character) != "Cf"
    )
    return unicodedata.normalize("NFKC", " ".join(visible.split()).casefold())
