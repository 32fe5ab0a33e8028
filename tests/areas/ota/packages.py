"""Creates packages, and finds out whether they exist."""

from __future__ import annotations

import io

from console.areas.ota import api
from iot_client.errors import NotFound


def create_package(org, product, **options):
    """Create a package, by default one that needs no verification."""
    properties = {"name": "lamp-2", "version": "2.0.0", "product_key": product, "verify": False, **options}
    package_id = api.create_package(
        org.gateway(), api.NewPackage(**properties), io.BytesIO(b"firmware"), "bin"
    )
    return api.get_package(org.gateway(), package_id)


def package_exists(gateway, package_id):
    """Return whether the package exists."""
    try:
        api.get_package(gateway, package_id)
    except NotFound:
        return False
    return True
