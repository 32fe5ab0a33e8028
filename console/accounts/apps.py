from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Users, teams, memberships, roles, access scopes and encryption."""

    name = "console.accounts"
    label = "accounts"
