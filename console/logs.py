"""What no log may hold: links that let in whoever has them, and the codes that single sign-on hands over in a query."""

from __future__ import annotations

import logging
import re

_LINKS = re.compile(r"(/accounts/password/reset/key/|/invitations/)[^/\s?]+")
_QUERIES = re.compile(r"(/accounts/[^\s?]*\?)\S+")


def without_keys(text: str) -> str:
    """The text with the secret part of each such link, and the query of each page of sign-in, replaced by dots."""
    return _QUERIES.sub(r"\1…", _LINKS.sub(r"\1…", text))


class WithoutKeys(logging.Filter):
    """Takes them out of what is logged: Django names the path of a request that failed."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        masked = without_keys(message)
        if masked != message:
            record.msg, record.args = masked, None
        return True
