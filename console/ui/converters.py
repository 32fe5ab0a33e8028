"""How identifiers of the platform are written in URLs."""

from __future__ import annotations

import base64

_MARK = "~"


class IdConverter:
    """`<id:key>` in a URL pattern: any text, also one that a path cannot contain as it is.

    The platform's identifiers stand in the path unchanged. A broken server in place of the cloud can send others: with a slash or
    a line end, `..`, or empty. Those are written as `~` and Base64, so that every link leads to what it names.
    """

    regex = "[^/]+"

    def to_url(self, value: object) -> str:
        """The identifier as a part of a path."""
        text = str(value)
        if self._is_plain(text):
            return text
        return _MARK + base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    def to_python(self, value: str) -> str:
        """The identifier in a part of a path. Raises ValueError, which means that the pattern does not match."""
        if not value.startswith(_MARK):
            return value
        encoded = value.removeprefix(_MARK)
        return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()

    def _is_plain(self, text: str) -> bool:
        return (
            text.isprintable()
            and "/" not in text
            and text not in ("", ".", "..")
            and not text.startswith(_MARK)
        )


class IdPathConverter(IdConverter):
    """`<idpath:name>`: the same for identifiers that usually contain slashes, such as topics."""

    regex = ".+"

    def _is_plain(self, text: str) -> bool:
        return all(map(super()._is_plain, text.split("/")))
