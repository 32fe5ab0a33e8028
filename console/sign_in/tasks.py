"""Periodic tasks of sign-in."""

from __future__ import annotations

from celery import shared_task

from console.sign_in import cleanup


@shared_task(name="sign_in.clean_up", acks_late=False)
def clean_up_sign_in() -> None:
    """Delete ended sessions and old records of sign-ins."""
    cleanup.delete_expired()
