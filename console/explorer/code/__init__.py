"""A call as code: in seven languages with the official SDK of each, and for curl. Keys are read from the environment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from console.explorer.code import cpp, csharp, curl, go, java, node, php, python
from console.explorer.code.call import CodeCall, drop_invalid_params

__all__ = ["LANGUAGES", "CodeCall", "Language", "drop_invalid_params", "find_language"]


@dataclass(frozen=True)
class Language:
    """A language, and the function that writes a call in it."""

    slug: str
    label: str
    write: Callable[[CodeCall], str]


LANGUAGES = (
    Language("python", "Python", python.write),
    Language("java", "Java", java.write),
    Language("node", "Node.js", node.write),
    Language("go", "Go", go.write),
    Language("php", "PHP", php.write),
    Language("csharp", "C#", csharp.write),
    Language("cpp", "C++", cpp.write),
    Language("curl", "curl", curl.write),
)


def find_language(slug: str) -> Language:
    """Return the language with this slug; the first one if there is none."""
    return next((language for language in LANGUAGES if language.slug == slug), LANGUAGES[0])
