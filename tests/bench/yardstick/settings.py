"""The console's settings, with Django's admin beside it."""

from console.settings import *  # noqa: F403
from console.settings import INSTALLED_APPS as CONSOLE_APPS

INSTALLED_APPS = ["django.contrib.admin", *CONSOLE_APPS, "tests.bench.yardstick"]
ROOT_URLCONF = "tests.bench.yardstick.urls"
CLOUD_CACHE_SECONDS = 3600  # only the first request of a page calls the platform
ADMIN_MIDDLEWARE = [  # of `django-admin startproject`
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
