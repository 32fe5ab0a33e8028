"""Creates registrations: from a file, from generated names, and the jobs that collect their secrets."""

from __future__ import annotations

from collections.abc import Iterable

from console.areas.devices.registration.params import (
    REGISTER_KIND,
    SECRETS_KIND,
    RegistrationParams,
    SecretsParams,
)
from console.connections.gateway import Gateway
from console.jobs import actions
from console.jobs.models import Job

_MAX_FILE_NAME = 120  # characters


def register_from_file(
    gateway: Gateway, product_key: str, product_name: str, content: Iterable[bytes], file_name: str
) -> Job:
    """Create a draft that registers the devices of a CSV file."""
    params = RegistrationParams(product_key, product_name, "file")
    return actions.create_draft(gateway, REGISTER_KIND, params, content, file_name=file_name[:_MAX_FILE_NAME])


def register_generated_names(
    gateway: Gateway, product_key: str, product_name: str, count: int, prefix: str
) -> Job:
    """Create a draft that registers `count` devices with generated names."""
    params = RegistrationParams(product_key, product_name, "count", count=count, prefix=prefix)
    return actions.create_draft(gateway, REGISTER_KIND, params, expected_items=count)


def collect_secrets(registration: Job, gateway: Gateway) -> Job:
    """Start a job that collects the secrets of the devices of a registration. Raises ReauthenticationNeeded."""
    params = RegistrationParams.read(registration)
    return actions.start_follow_up(
        registration, gateway, SECRETS_KIND, SecretsParams(params.product_key, params.product_name)
    )
