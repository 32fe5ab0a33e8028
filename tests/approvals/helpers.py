"""Creates API tokens, and reads what is on the platform after a request."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from console.accounts.models import ApiToken, Membership, User
from console.connections.gateway import Gateway
from tests.conftest import Organization

REASON = "The trial is over"


def list_device_names(org: Organization, product: str) -> list[str]:
    """The names of the product's devices, sorted."""
    response = org.gateway().call("QueryDevice", fresh=True, ProductKey=product, PageSize=50)
    return sorted(device["DeviceName"] for device in response["Data"]["DeviceInfo"])


def product_exists(org: Organization, product: str) -> bool:
    """Whether the product exists."""
    response = org.gateway().call("QueryProductList", fresh=True, CurrentPage=1, PageSize=200)
    return product in [item["ProductKey"] for item in response["Data"]["List"]["ProductInfo"]]


def create_token(org, user: User, role: str, creator: User) -> ApiToken:
    return ApiToken.objects.create(
        team=org.team,
        user=user,
        name="ci",
        digest=f"{user.pk}-{creator.pk}",
        hint="fd_x",
        role_slug=role,
        created_by=creator,
        expires_at=timezone.now() + timedelta(days=1),
    )


def gateway_of_token(org, token: ApiToken) -> Gateway:
    membership = Membership.objects.get(team=org.team, user=token.user).limit_to_token(token)
    return Gateway(actor=token.user, membership=membership, connection=org.connection)
