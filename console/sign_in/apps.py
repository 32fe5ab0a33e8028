from django.apps import AppConfig


class SignInConfig(AppConfig):
    """Passwords, second factors, passkeys, single sign-on, sessions and the lockout."""

    name = "console.sign_in"
    label = "sign_in"

    def ready(self) -> None:
        from console.sign_in import audit_records

        audit_records.connect_signals()
