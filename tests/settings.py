"""The settings of the console for tests: a separate home folder, and worthless secrets."""

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
os.environ["SIGN_ON_DOMAINS"] = "corp.test a.test b.test c.test z.test acme.test globex.test"
os.environ["BASE_URL"] = "http://testserver"
if os.environ.get("REDIS_URL", "").startswith("redis://"):
    # A separate database for each test process, emptied before each test.
    _number = 1 + int(_worker.removeprefix("gw") or 0) if _worker.startswith("gw") else 0
    os.environ["REDIS_URL"] = f"{os.environ['REDIS_URL'].rstrip('/').rpartition('/')[0]}/{10 + _number}"

from console.settings import *  # noqa: E402, F403

# Argon2 is deliberately slow. The sign-in tests use it.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_AUTOREFRESH = True
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):  # noqa: F405
    # A file, as in production: with an in-memory database, concurrent transactions would fail instead of wait.
    DATABASES["default"]["TEST"] = {"NAME": str(HOME / "test.sqlite3")}  # noqa: F405
