"""Settings, read from environment variables. A missing required setting is named when the process starts.

Without DATABASE_URL the embedded SQLite is used, without REDIS_URL an embedded Redis-compatible server on a socket, even if a
server listens on the default port.
"""

from __future__ import annotations

import os
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any

import django_stubs_ext
import environ
from celery.schedules import schedule
from cryptography.fernet import Fernet
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from console import embedded
from console.sign_in.openid_connect import configuration as sign_on

django_stubs_ext.monkeypatch()  # makes Django's classes generic: ModelForm[User]

env = environ.Env()
BASE_DIR = Path(__file__).resolve().parent.parent
try:
    HOME = embedded.home()
    _EMBEDDED_REDIS = embedded.redis_url(HOME)
except embedded.UnsafeFolder as error:
    raise ImproperlyConfigured(str(error)) from error

# -- required settings -------------------------------------------------------------------------------------


def _required(name: str, why: str) -> str:
    value = env.str(name, default="")
    if not value:
        raise ImproperlyConfigured(f"{name} is not set. {why}")
    return str(value)


def _networks(name: str) -> list[IPv4Network | IPv6Network]:
    try:
        return [ip_network(text.strip()) for text in env.list(name, default=[]) if text.strip()]
    except ValueError as error:
        raise ImproperlyConfigured(
            f"{name} is invalid: {error}. Set it to IP addresses or networks, comma-separated."
        ) from error


DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = _required("SECRET_KEY", "Set it to a long random string. It signs sessions and links.")
FIELD_ENCRYPTION_KEYS = [
    key.strip()
    for key in _required(
        "FIELD_ENCRYPTION_KEYS",
        "Set it to one or more Fernet keys, comma-separated, newest first. They encrypt secrets in the database.",
    ).split(",")
    if key.strip()
]
for _key in FIELD_ENCRYPTION_KEYS:
    try:
        Fernet(_key)
    except ValueError as error:
        raise ImproperlyConfigured(
            "FIELD_ENCRYPTION_KEYS contains an invalid key. A Fernet key is 32 bytes in URL-safe base64."
        ) from error
# Secrets that are encrypted elsewhere than in fields of the console's models, for `manage.py rotate_encryption_key`.
SECRET_STORES = ("console.sign_in.factors.SECRETS",)
# What is stored about a user: for the file that they download, and for the deletion of their account.
PERSONAL_DATA = (
    "console.sign_in.personal_data.PARTS",
    "console.teams.personal_data.PARTS",
    "console.connections.personal_data.PARTS",
    "console.jobs.personal_data.PARTS",
    "console.approvals.personal_data.PARTS",
    "console.explorer.personal_data.PARTS",
)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_FAILURE_VIEW = "console.sign_in.csrf.csrf_failure"
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

# -- applications ----------------------------------------------------------------------------------------------------

# The areas of the platform, in the order of the navigation. An area is a folder and a line here.
AREAS = (
    "console.areas.products.area.AREA",
    "console.areas.devices.area.AREA",
    "console.areas.groups.area.AREA",
    "console.areas.ota.area.AREA",
    "console.areas.messaging.area.AREA",
)
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.forms",
    "django_htmx",
    "csp",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "axes",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "console.ui",
    "console.accounts",
    "console.audit",
    "console.sign_in",
    "console.teams",
    "console.connections",
    "console.device_counts",
    "console.jobs",
    *(area.removesuffix(".area.AREA") for area in AREAS),
    "console.approvals",
    "console.dashboard",
    "console.explorer",
    "console.api",
    "console.quickstart",
]

MIDDLEWARE = [
    "console.dashboard.health.HealthMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "console.ui.middleware.HeadersMiddleware",
    "console.ui.compression.CompressionMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "console.sign_in.sessions.SessionMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "console.ui.middleware.MethodMiddleware",
    "console.ui.middleware.HtmxMiddleware",
    "console.sign_in.reauthentication.ReauthenticationMiddleware",
    "console.accounts.middleware.UserPreferencesMiddleware",
    "console.accounts.middleware.TeamMiddleware",
    "console.audit.exports.ExportMiddleware",
    "console.sign_in.factors.SecondFactorMiddleware",
    "console.connections.middleware.ConnectionMiddleware",
    # These two come after authentication: the search for the CSRF token reads the whole body.
    "console.ui.uploads.BodyLimitMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "console.connections.middleware.CloudErrorMiddleware",
    "console.approvals.middleware.ApprovalMiddleware",
]

ROOT_URLCONF = "console.urls"
WSGI_APPLICATION = "console.wsgi.application"
FORM_RENDERER = "console.ui.forms.Renderer"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {
            "loaders": [
                (
                    "django.template.loaders.cached.Loader",
                    ["console.ui.templates.Loader", "django.template.loaders.app_directories.Loader"],
                )
            ],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "console.ui.context.shell",
            ],
            "builtins": ["django.templatetags.i18n", "console.ui.templatetags.ui"],
        },
    }
]

# -- data ------------------------------------------------------------------------------------------------------------


def _database() -> dict[str, Any]:
    if not env.str("DATABASE_URL", default=""):
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": HOME / "console.sqlite3",
            "CONN_MAX_AGE": 60,
            # IMMEDIATE: a transaction takes the write lock at its start and waits for it, instead of failing later with
            # "database is locked".
            "OPTIONS": {
                "timeout": 20,
                "transaction_mode": "IMMEDIATE",
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-20000;",
            },
        }
    database: dict[str, Any] = env.db_url("DATABASE_URL")
    database.setdefault("CONN_MAX_AGE", 60)
    database.setdefault("CONN_HEALTH_CHECKS", True)
    return database


DATABASES = {"default": _database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
REDIS_URL = env.str("REDIS_URL", default="") or _EMBEDDED_REDIS
# A person waits for the response, and the console works without it.
REDIS_TIMEOUT_SECONDS = 0.5
_CACHE = {
    "LOCATION": REDIS_URL,
    "KEY_PREFIX": "fleetdesk",
    "VERSION": 2,  # values of version 1 were no JSON
    "OPTIONS": {
        "serializer": "console.cache.JSONSerializer",
        "socket_timeout": REDIS_TIMEOUT_SECONDS,
        "socket_connect_timeout": REDIS_TIMEOUT_SECONDS,
    },
}
CACHES = {
    # Counts sign-in attempts. Without Redis, each process counts by itself.
    "default": {"BACKEND": "console.sign_in.cache.FallbackRedisCache", **_CACHE},
    # Recent responses of the cloud. Without Redis, nothing is cached.
    "cloud": {"BACKEND": "console.connections.cache.CloudCache", **_CACHE},
}
# Sessions are in the database, so that clearing Redis signs nobody out.
SESSION_ENGINE = "console.sign_in.session_store"

# -- users ----------------------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["console.sign_in.lockout.LockoutBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "console.sign_in.passwords.MaximumLengthValidator", "OPTIONS": {"max_length": 128}},
    {"NAME": "console.sign_in.passwords.GuessablePasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"  # administrators invite users; there is no public registration
ACCOUNT_ADAPTER = "console.sign_in.adapter.AccountAdapter"
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_SESSION_REMEMBER = False  # the cookie ends with the browser session; see SESSION_* below
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
# Django's generator, whose tokens contain the email address. allauth's generator reads and writes rows of existing accounts
# only, which takes measurable time.
ACCOUNT_PASSWORD_RESET_TOKEN_GENERATOR = "django.contrib.auth.tokens.PasswordResetTokenGenerator"  # noqa: S105 - no password
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False  # an address without an account gets no email
ACCOUNT_EMAIL_NOTIFICATIONS = True  # for a changed password, and a new or removed factor
ACCOUNT_FORMS = {
    "login": "console.sign_in.forms.LoginForm",
    "reset_password": "console.sign_in.forms.ResetPasswordForm",
    "change_password": "console.sign_in.forms.ChangePasswordForm",
    "set_password": "console.sign_in.forms.SetPasswordForm",
    "reset_password_from_key": "console.sign_in.forms.ResetPasswordKeyForm",
}
# allauth counts requests, in the cache. axes counts wrong passwords and codes, in the database.
ACCOUNT_RATE_LIMITS = {"login_failed": None, "password_strength": "60/m/ip"}
MFA_ADAPTER = "console.sign_in.factors.MFAAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_FORMS = {
    "authenticate": "console.sign_in.forms.AuthenticateForm",
    "reauthenticate": "console.sign_in.forms.ReauthenticateForm",
    "activate_totp": "console.sign_in.forms.ActivateTOTPForm",
    "authenticate_webauthn": "console.sign_in.forms.AuthenticatePasskeyForm",
    "login_webauthn": "console.sign_in.forms.LoginPasskeyForm",
    "reauthenticate_webauthn": "console.sign_in.forms.ReauthenticatePasskeyForm",
    "add_webauthn": "console.sign_in.forms.AddPasskeyForm",
    "edit_webauthn": "console.sign_in.forms.EditPasskeyForm",
}
MFA_TOTP_TOLERANCE = 1  # in steps of 30 seconds; each code still works only once
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_RECOVERY_CODE_DIGITS = 36  # 119 bits: nobody can guess one, also with a copy of the database
# Every team requires a second factor of its members, whatever its own setting says.
REQUIRE_SECOND_FACTOR = env.bool("REQUIRE_SECOND_FACTOR", default=False)
# Number of wrong passwords or codes that lock an account for their address, and for all unknown addresses.
AXES_FAILURE_LIMIT = env.int("SIGN_IN_FAILURES", default=5)
SIGN_IN_ACCOUNT_FAILURES = env.int("SIGN_IN_ACCOUNT_FAILURES", default=30)
AXES_COOLOFF_TIME = timedelta(minutes=env.int("SIGN_IN_LOCK_MINUTES", default=30))
AXES_HANDLER = "console.sign_in.lockout.LockoutHandler"
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_USERNAME_CALLABLE = "console.sign_in.lockout.account_name"
AXES_CLIENT_IP_CALLABLE = "console.sign_in.lockout.client_address"
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_ENABLE_ACCESS_FAILURE_LOG = True  # a user's security page shows failed attempts
AXES_ENABLE_ADMIN = False
# Fields of the sign-in forms that axes must not store.
AXES_SENSITIVE_PARAMETERS = [
    *("username", "ip_address", "login", "oldpassword", "password1", "password2", "code", "credential"),
    "csrfmiddlewaretoken",
]
# The authentication backend and the forms apply the lockout. They respond to all attempts alike, so axes has no lockout page.
SILENCED_SYSTEM_CHECKS = ["axes.W002", "axes.W003"]
# A session ends after this time without use, and at the latest after this time since sign-in.
SESSION_IDLE_MINUTES = env.int("SESSION_IDLE_MINUTES", default=30)
SESSION_ABSOLUTE_HOURS = env.int("SESSION_ABSOLUTE_HOURS", default=12)
SESSION_COOKIE_AGE = SESSION_ABSOLUTE_HOURS * 3600
# How long after sign-in or re-authentication a user may do sensitive actions: reveal secrets, change roles.
REAUTHENTICATION_MINUTES = env.int("REAUTHENTICATION_MINUTES", default=15)
# Without it no email is sent. Email is not written to the log either, because it may contain a password reset link.
EMAIL_URL = env.str("EMAIL_URL", default="")
SENDS_MAIL = bool(EMAIL_URL)
EMAIL_CONFIG = env.email_url_config(EMAIL_URL or "dummymail://")
vars().update(EMAIL_CONFIG)
# Links in emails begin with it.
BASE_URL = env.str("BASE_URL", default="").rstrip("/")
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="fleetdesk@localhost")

# -- language, time --------------------------------------------------------------------------------------------------

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("zh-hans", _("Simplified Chinese"))]
# The interface; and the catalogue and error codes (docs/translations.md).
LOCALE_PATHS = [BASE_DIR / "locale", BASE_DIR / "iot_client" / "translations"]
LANGUAGE_COOKIE_AGE = int(timedelta(days=365).total_seconds())
USE_I18N = True
FORMAT_MODULE_PATH = "console.ui.locales"
USE_TZ = True
TIME_ZONE = "UTC"
USE_THOUSAND_SEPARATOR = True

# -- static files ----------------------------------------------------------------------------------------------------

STATIC_URL = "/static/"
STATIC_ROOT = env.path("STATIC_ROOT", default=str(HOME / "static"))()
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage",
        # In the image they belong to root, and the console runs as another user.
        "OPTIONS": {"file_permissions_mode": 0o644},
    },
}
WHITENOISE_USE_FINDERS = DEBUG
FILE_UPLOAD_TEMP_DIR = env.str("FILE_UPLOAD_TEMP_DIR", default="") or None
FILE_UPLOAD_HANDLERS = [
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "console.ui.uploads.TemporaryFileHandler",
]
FILE_UPLOAD_PERMISSIONS = 0o600
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2_000

# -- security --------------------------------------------------------------------------------------------------------

# Production uses HTTPS. quickstart listens on loopback only and sets INSECURE_HTTP.
INSECURE_HTTP = env.bool("INSECURE_HTTP", default=DEBUG)
if SENDS_MAIL and not BASE_URL and not INSECURE_HTTP:
    raise ImproperlyConfigured(
        "BASE_URL is not set, but EMAIL_URL is. Set it to the address of the console, such as https://fleet.example.com."
    )
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = not INSECURE_HTTP
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
# Browsers accept a cookie with this prefix only over HTTPS and from this host, not from another host of the same domain.
_HOST = "" if INSECURE_HTTP else "__Host-"
SESSION_COOKIE_NAME = _HOST + env.str("SESSION_COOKIE_NAME", default="fleetdesk_session")
CSRF_COOKIE_NAME = f"{_HOST}fleetdesk_csrf"
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=not INSECURE_HTTP)
SECURE_HSTS_SECONDS = 0 if INSECURE_HTTP else env.int("SECURE_HSTS_SECONDS", default=31_536_000)
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = not INSECURE_HTTP
# The proxies whose headers say which address the browser has, and whether it uses HTTPS (gunicorn.conf.py).
TRUSTED_PROXIES = _networks("TRUSTED_PROXIES")
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "manifest-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}

# -- single sign-on --------------------------------------------------------------------------------------------------

# The email domains whose users the rules of a team may add, with the slug of the team, or "" for all teams.
SIGN_ON_DOMAINS = sign_on.read_domains(os.environ)
SOCIALACCOUNT_ADAPTER = "console.sign_in.openid_connect.adapter.SocialAccountAdapter"
SOCIALACCOUNT_REQUESTS_TIMEOUT = 5  # seconds to wait for the identity provider
SOCIALACCOUNT_PROVIDERS = {
    "openid_connect": {
        "provider_class": "console.sign_in.openid_connect.provider.Provider",
        "APPS": sign_on.build_apps(os.environ, insecure_http=INSECURE_HTTP),
    }
}

# -- background work -------------------------------------------------------------------------------------------------

CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", default="") or (
    f"redis+socket://{REDIS_URL.removeprefix('unix://').partition('?')[0]}?virtual_host=0"
    if REDIS_URL.startswith("unix://")
    else REDIS_URL
)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 600,
    "global_keyprefix": "fleetdesk:",
    # A request does not wait if Redis does not respond: beat sends the task again. Workers ask for messages for one second.
    "socket_timeout": 2.0,
    "socket_connect_timeout": 2.0,
    "max_retries": 1,
    "interval_start": 0.0,
}
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SERIALIZER = "json"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE_FILENAME = str(HOME / "celerybeat-schedule")
JOBS_REVIVE_SECONDS = env.int("JOBS_REVIVE_SECONDS", default=5)
# How long a worker keeps its part of a job without renewing its lease. A running worker renews it.
JOBS_LEASE_SECONDS = env.int("JOBS_LEASE_SECONDS", default=30)
# A step that runs longer is ended, and its job stops.
JOBS_STEP_SECONDS = env.int("JOBS_STEP_SECONDS", default=600)
JOBS_UPLOAD_BYTES = env.int("JOBS_UPLOAD_BYTES", default=100 * 1024 * 1024)
JOBS_MAX_ROWS = env.int("JOBS_MAX_ROWS", default=1_000_000)
JOBS_DRAFT_HOURS = env.int("JOBS_DRAFT_HOURS", default=24)
JOBS_SECRET_HOURS = env.int("JOBS_SECRET_HOURS", default=24)
# How long a job, its items and its events are kept after its end; 0: forever. The audit trail is kept separately.
JOBS_KEEP_DAYS = env.int("JOBS_KEEP_DAYS", default=90)
# The kinds of jobs that belong to no area. Those of an area are in its AREA.
JOB_KINDS = ("console.approvals.jobs.EXECUTE", "console.pages.jobs.BULK")
# Approval rules of operations that only the explorer calls. Those of an area are in its AREA.
APPROVAL_RULES = ("console.explorer.approval.APPROVAL_RULES",)
# How long audit records without a team, or of a deleted team, are kept; 0: forever. Each team sets its own limit.
AUDIT_KEEP_DAYS = env.int("AUDIT_KEEP_DAYS", default=0)
# How often the heads of the audit trail's chains are written to the log, and to this address, signed with this secret.
AUDIT_ANCHOR_MINUTES = env.int("AUDIT_ANCHOR_MINUTES", default=60)
AUDIT_ANCHOR_URL = env.str("AUDIT_ANCHOR_URL", default="")
AUDIT_ANCHOR_SECRET = (
    _required(
        "AUDIT_ANCHOR_SECRET", "Set it to a long random string. It signs the requests to AUDIT_ANCHOR_URL."
    )
    if AUDIT_ANCHOR_URL
    else ""
)
CELERY_BEAT_SCHEDULE = {
    # The database has the state, the broker only wakes workers: this task finds work that the broker lost or a worker left unfinished.
    "jobs.wake_overdue": {
        "task": "jobs.wake_overdue",
        "schedule": schedule(timedelta(seconds=JOBS_REVIVE_SECONDS)),
        # Old messages are useless to workers that were down.
        "options": {"expires": max(JOBS_REVIVE_SECONDS, 10)},
    },
    "jobs.clean_up": {"task": "jobs.clean_up", "schedule": schedule(timedelta(minutes=15))},
    "approvals.clean_up": {"task": "approvals.clean_up", "schedule": schedule(timedelta(minutes=1))},
    "audit.reads": {
        "task": "audit.reads",
        "schedule": schedule(timedelta(minutes=1)),
        "options": {"expires": 60},
    },
    "audit.anchor": {
        "task": "audit.anchor",
        "schedule": schedule(timedelta(minutes=AUDIT_ANCHOR_MINUTES)),
        "options": {"expires": AUDIT_ANCHOR_MINUTES * 60},
    },
    "audit.maintain": {"task": "audit.maintain", "schedule": schedule(timedelta(days=1))},
    "dashboard.count_devices": {
        "task": "dashboard.count_devices",
        "schedule": schedule(timedelta(minutes=1)),
        "options": {"expires": 60},
    },
    "sign_in.clean_up": {"task": "sign_in.clean_up", "schedule": schedule(timedelta(hours=1))},
}

# -- the cloud -------------------------------------------------------------------------------------------------------

# How long reads of a page are cached, in seconds. A write on the same connection clears the cache.
CLOUD_CACHE_SECONDS = env.int("CLOUD_CACHE_SECONDS", default=5)
# How long a page waits for the platform's limits of calls per second, in seconds.
CLOUD_QUOTA_WAIT_SECONDS = env.float("CLOUD_QUOTA_WAIT_SECONDS", default=10.0)
CLOUD_TIMEOUT_SECONDS = env.float("CLOUD_TIMEOUT_SECONDS", default=15.0)
# The only addresses that the console calls (syntax: console/connections/endpoints.py).
CLOUD_ENDPOINTS = env.list("CLOUD_ENDPOINTS", default=["*.aliyuncs.com"])

# -- the HTTP API ----------------------------------------------------------------------------------------------------

# A token may make this number of requests in this number of seconds.
API_REQUESTS = env.int("API_REQUESTS", default=50)
API_SECONDS = env.int("API_SECONDS", default=5)
# Requests without a valid token that an address may make within 5 minutes.
API_GUESSES = env.int("API_GUESSES", default=100)

# -- logs ------------------------------------------------------------------------------------------------------------

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "{asctime} {levelname} {name} {message}", "style": "{"}},
    "filters": {
        "secrets": {"()": "console.logs.SecretsFilter"},
        "requests": {"()": "console.logs.RequestFilter"},
        "repeats": {"()": "console.logs.RepeatFilter"},
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain", "filters": ["secrets"]}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
    # At INFO, httpx logs each URL with its query, which contains the signature, and axes logs each of its steps.
    # Anchors of the audit trail are written whatever LOG_LEVEL says.
    "loggers": {
        **{name: {"level": "WARNING"} for name in ("httpx", "httpcore", "axes")},
        "console.audit.anchors": {"level": "INFO"},
        "django.request": {"filters": ["requests"]},
        "console.connections.sending": {"filters": ["repeats"]},
    },
}
