"""Removes secrets from logs: keys of password reset and invitation links, and queries of sign-in pages (SSO codes)."""

from __future__ import annotations

import logging
import re

_LINKS = re.compile(r"(/accounts/password/reset/key/|/invitations/)[^/\s?]+")
_ADDRESS = re.compile(r"\S+")


def mask_secrets(text: str) -> str:
    """The text with the key of each such link, and the query of each sign-in page, replaced by dots."""
    return _ADDRESS.sub(_mask_query, _LINKS.sub(r"\1…", text))


def _mask_query(address: re.Match[str]) -> str:
    before, sign_in, after = address[0].partition("/accounts/")
    path, mark, query = after.partition("?")
    return f"{before}{sign_in}{path}{mark}…" if query else address[0]


class SecretsFilter(logging.Filter):
    """Masks secrets in log messages: Django logs the path of a failed request."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        masked = mask_secrets(message)
        if masked != message:
            record.msg, record.args = masked, None
        return True
