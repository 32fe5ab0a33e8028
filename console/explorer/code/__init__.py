"""The same call as code to copy, in eight languages, each as its official SDK is used. Keys come from the environment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from console.explorer.code import cpp, csharp, curl, go, java, node, php, python
from console.explorer.code.call import CodeCall, usable

__all__ = ["LANGUAGES", "CodeCall", "Language", "language", "usable"]


@dataclass(frozen=True)
class Language:
    """A language to write a call in."""

    slug: str
    label: str
    write: Callable[[CodeCall], str]


LANGUAGES = (
    Language("curl", "curl", curl.write),
    Language("python", "Python", python.write),
    Language("java", "Java", java.write),
    Language("node", "Node.js", node.write),
    Language("go", "Go", go.write),
    Language("php", "PHP", php.write),
    Language("csharp", "C#", csharp.write),
    Language("cpp", "C++", cpp.write),
)


def language(slug: str) -> Language:
    """The language of that slug; curl for any other word."""
    return next((found for found in LANGUAGES if found.slug == slug), LANGUAGES[0])
