#!/usr/bin/env python
"""Fleetdesk's command line."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
    if len(sys.argv) > 1 and sys.argv[1] in {"quickstart", "emulator"}:
        # These run on a bare machine, so they make the secrets that a deployment must be given.
        from console import embedded

        os.umask(0o077)  # the database and logs are for this user only
        try:
            embedded.provide_secrets(os.environ)
        except embedded.UnsafeFolder as error:
            sys.exit(str(error))
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
