"""Who may use each address of the URLconf. Those of an area are in tests/areas/<area>/expectations.py.

An address without an expectation fails in test_urls_by_role: decide which roles may use it, and add it.
"""

from __future__ import annotations

from importlib import import_module

from console.ui.areas import all_areas
from tests.roles import (
    ADMIN_ACT,
    ADMIN_FORM,
    ADMIN_PAGE,
    EVERYBODY,
    FLEET_ACT,
    FLEET_FORM,
    OWNER_ACT,
    OWNER_FORM,
    OWNER_PAGE,
    PAGE,
    AllowedRoles,
)

# Addresses of a team: only for its members.
MEMBERS_ONLY: dict[str, AllowedRoles] = {
    "teams:team": PAGE,
    "teams:switcher": PAGE,
    "teams:members": ADMIN_PAGE,
    "teams:invite": ADMIN_FORM,
    "teams:invitation-renew": ADMIN_FORM,
    "teams:invitation-withdraw": ADMIN_FORM,
    "teams:member": ADMIN_PAGE,
    "teams:member-menu": ADMIN_PAGE,
    "teams:member-edit": ADMIN_FORM,
    "teams:member-remove": ADMIN_FORM,
    "teams:member-transfer": OWNER_FORM,
    "teams:roles": ADMIN_PAGE,
    "teams:role": ADMIN_PAGE,
    "teams:role-preview": ADMIN_PAGE,
    "teams:role-add": ADMIN_FORM,
    "teams:role-edit": ADMIN_FORM,
    "teams:role-delete": ADMIN_FORM,
    "teams:settings": OWNER_FORM,
    "teams:team-delete": OWNER_FORM,
    "teams:sign-on": OWNER_PAGE,
    "teams:sign-on-add": OWNER_FORM,
    "teams:sign-on-try": OWNER_FORM,
    "teams:sign-on-edit": OWNER_FORM,
    "teams:sign-on-move": OWNER_ACT,
    "teams:sign-on-delete": OWNER_FORM,
    "teams:tokens": ADMIN_PAGE,
    "teams:add-token": ADMIN_FORM,
    "teams:add-own-token": AllowedRoles(EVERYBODY, EVERYBODY),
    "teams:revoke-token": ADMIN_FORM,
    "teams:audit": ADMIN_PAGE,
    "teams:audit-reads": ADMIN_PAGE,
    "teams:audit-record": ADMIN_PAGE,
    "connections:list": ADMIN_PAGE,
    "connections:menu": ADMIN_PAGE,
    "connections:add": ADMIN_FORM,
    "connections:edit": ADMIN_FORM,
    "connections:test": ADMIN_ACT,
    "connections:delete": ADMIN_FORM,
    "dashboard:home": PAGE,
    "dashboard:device-history": PAGE,
    "dashboard:failing-batches": PAGE,
    # The request in these addresses belongs to the operator, who may withdraw it. Others decide.
    "approvals:list": PAGE,
    "approvals:detail": PAGE,
    "approvals:ask": AllowedRoles(post=frozenset({"operator"})),
    "approvals:withdraw": AllowedRoles(post=frozenset({"operator"})),
    "approvals:approve": ADMIN_FORM,
    "approvals:refuse": ADMIN_FORM,
    "explorer:list": PAGE,
    "explorer:history": PAGE,
    "explorer:suggest": PAGE,
    # Everybody may open and post the form. The gateway checks the permission of each operation.
    "explorer:operation": AllowedRoles(EVERYBODY, EVERYBODY),
    "pages:start-bulk": FLEET_ACT,
    "jobs:list": PAGE,
    "jobs:tray": PAGE,
    "jobs:detail": PAGE,
    "jobs:live": PAGE,
    "jobs:discard": FLEET_ACT,
    "jobs:cancel": FLEET_FORM,
    "jobs:retry": FLEET_ACT,
    "jobs:result": PAGE,
}
# Addresses without a team. Statuses of: GET without sign-in, GET signed in, empty POST without sign-in, empty POST signed in.
FOR_ALL: dict[str, tuple[int, int, int, int]] = {
    "teams:home": (302, 302, 302, 405),
    "sign_in:profile": (302, 200, 302, 200),
    "teams:own-tokens": (302, 200, 302, 405),
    "teams:revoke-own-token": (302, 200, 302, 302),
    "api-reference": (302, 200, 302, 405),
    "teams:new-team": (302, 403, 302, 403),  # only for team owners
    "teams:invitation-link": (302, 302, 405, 405),  # redirects to the page below, whatever the token is
    "teams:invitation": (404, 404, 404, 404),  # no link was opened
    "sign_in:stored-data": (302, 200, 302, 405),
    "sign_in:password-strength": (405, 405, 200, 200),
    "sign_in:download-data": (302, 200, 302, 405),
    "teams:delete-account": (302, 200, 302, 200),
    "sign_in:security": (302, 200, 302, 405),
    "sign_in:end-session": (302, 405, 302, 404),
    "sign_in:end-other-sessions": (302, 405, 302, 302),
    "set_language": (405, 405, 302, 302),  # anybody may post
    "account_login": (200, 302, 200, 302),
    "account_logout": (302, 200, 302, 302),
    "account_inactive": (200, 200, 405, 405),
    "account_signup": (200, 302, 200, 302),
    "account_reauthenticate": (302, 200, 302, 200),
    "account_change_password": (302, 200, 302, 200),
    "account_set_password": (302, 302, 302, 302),
    "account_reset_password": (200, 200, 200, 200),
    "account_reset_password_done": (200, 200, 405, 405),
    "account_reset_password_from_key": (200, 200, 200, 200),
    "account_reset_password_from_key_done": (200, 200, 405, 405),
    # Single sign-on exists only if a provider is configured. It starts with a POST.
    "sign_on": (405, 405, 404, 404),
    "sign_on_confirm": (302, 404, 302, 405),
    "sign_on_callback": (404, 404, 405, 405),
    "socialaccount_login_cancelled": (200, 200, 405, 405),
    "mfa_authenticate": (302, 302, 302, 302),  # after the password
    "mfa_login_webauthn": (302, 302, 302, 302),
    "mfa_index": (302, 302, 302, 302),
    "mfa_list_webauthn": (302, 302, 302, 302),
    "mfa_activate_totp": (302, 200, 302, 200),
    "mfa_deactivate_totp": (302, 404, 302, 404),  # no app is set up
    "mfa_view_recovery_codes": (302, 404, 302, 405),
    "mfa_generate_recovery_codes": (302, 200, 302, 200),
    "mfa_add_webauthn": (302, 200, 302, 200),
    "mfa_edit_webauthn": (302, 404, 302, 404),
    "mfa_remove_webauthn": (302, 404, 302, 404),
    "mfa_reauthenticate": (302, 302, 302, 302),  # redirects to the password
    "mfa_reauthenticate_webauthn": (302, 302, 302, 302),
    "account_email": (302, 302, 302, 302),
    "account_email_verification_sent": (302, 302, 302, 302),
    # The style guide exists only if it is enabled.
    "ui:style": (404, 404, 404, 404),
    "ui:style-chart": (404, 404, 404, 404),
    "ui:style-form": (404, 404, 404, 404),
    "ui:style-confirm": (404, 404, 404, 404),
    "ui:style-tray": (404, 404, 404, 404),
    "ui:style-switcher": (404, 404, 404, 404),
}

# The expectations of each area: its slug → the module.
AREAS = {area.slug: import_module(f"tests.areas.{area.slug}.expectations") for area in all_areas()}
for _area in AREAS.values():
    MEMBERS_ONLY |= _area.ADDRESSES
