"""The console's settings as the tests run them: their own home folder, and secrets of no worth."""

import os
import tempfile
from pathlib import Path

_worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
if "FLEETDESK_TEST_HOME" not in os.environ:
    os.environ["FLEETDESK_TEST_HOME"] = tempfile.mkdtemp(prefix="fleetdesk-tests-")
os.environ["FLEETDESK_HOME"] = str(Path(os.environ["FLEETDESK_TEST_HOME"]) / _worker)
os.environ.setdefault("SECRET_KEY", "only-for-tests-" + "x" * 50)
os.environ.setdefault("FIELD_ENCRYPTION_KEYS", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
os.environ["INSECURE_HTTP"] = "true"
os.environ["CLOUD_ENDPOINTS"] = "*.aliyuncs.com,*.test,http://emulator.test"
os.environ.setdefault("EMAIL_URL", "memorymail://")
if os.environ.get("REDIS_URL", "").startswith("redis://"):
    # A database of its own for each test process, which empties it before each test.
    _number = 1 + int(_worker.removeprefix("gw") or 0) if _worker.startswith("gw") else 0
    os.environ["REDIS_URL"] = f"{os.environ['REDIS_URL'].rstrip('/').rpartition('/')[0]}/{10 + _number}"

from console.settings import *  # noqa: E402, F403

# Argon2 is slow on purpose; the sign-in tests set it back.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_AUTOREFRESH = True
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):  # noqa: F405
    # A file, as in use: in memory, threads would not wait for each other's transactions but fail.
    DATABASES["default"]["TEST"] = {"NAME": str(HOME / "test.sqlite3")}  # noqa: F405
