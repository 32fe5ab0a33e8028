"""Readable labels of the console's own operations, for places that show audit records.

Records, exports and the HTTP API keep the codes. Operations of the platform, such as UpdateProduct, are shown by their names.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

OPERATION_LABELS: Mapping[str, str | Promise] = MappingProxyType(
    {
        "approval.altered": _("Reject modified request"),
        "approval.approve": _("Approve request"),
        "approval.execute": _("Run approved request"),
        "approval.expire": _("Expire request"),
        "approval.refuse": _("Reject request"),
        "approval.request": _("Request approval"),
        "approval.withdraw": _("Withdraw request"),
        "approvals.export": _("Export approvals"),
        "audit.export": _("Export audit trail"),
        "audit.export_reads": _("Export read counts"),
        "audit.prune": _("Prune audit trail"),
        "connection.create": _("Create connection"),
        "connection.delete": _("Delete connection"),
        "connection.edit": _("Edit connection"),
        "connection.test": _("Test connection"),
        "devices.export": _("Export device list"),
        "factor.add": _("Add second factor"),
        "factor.recovery_code": _("Use recovery code"),
        "factor.recovery_codes": _("Generate recovery codes"),
        "factor.remove": _("Remove second factor"),
        "factor.reset": _("Reset second factors"),
        "jobs.export": _("Export jobs"),
        "password.change": _("Change password"),
        "password.reset": _("Reset password"),
        "products.export": _("Export product list"),
        "profile.delete": _("Delete account"),
        "profile.download": _("Download personal data"),
        "profile.edit": _("Edit profile"),
        "role.create": _("Create role"),
        "role.delete": _("Delete role"),
        "role.edit": _("Edit role"),
        "session.end": _("End session"),
        "session.expire": _("Session expired"),
        "session.forget_sign_on": _("Unlink SSO identity"),
        "session.link_sign_on": _("Link SSO identity"),
        "session.lock": _("Sign-in locked"),
        "session.reauthenticate": _("Confirm identity"),
        "session.second_factor": _("Enter second factor"),
        "session.sign_in": _("Sign in"),
        "session.sign_on": _("Sign in with SSO"),
        "session.sign_out": _("Sign out"),
        "sign_on.add_rule": _("Create SSO rule"),
        "sign_on.change_rule": _("Edit SSO rule"),
        "sign_on.delete_rule": _("Delete SSO rule"),
        "sign_on.move_rule": _("Move SSO rule"),
        "team.add_member": _("Add member"),
        "team.bootstrap": _("Set up team owner"),
        "team.change_role": _("Edit role and scope"),
        "team.create": _("Create team"),
        "team.delete": _("Delete team"),
        "team.invite": _("Invite user"),
        "team.join": _("Join team"),
        "team.remove_member": _("Remove member"),
        "team.renew_invitation": _("Renew invitation"),
        "team.settings": _("Edit team settings"),
        "team.transfer": _("Transfer ownership"),
        "team.withdraw_invitation": _("Withdraw invitation"),
        "token.make": _("Create API token"),
        "token.make_for_team": _("Create team token"),
        "token.refused": _("API token rejected"),
        "token.revoke": _("Revoke API token"),
        "token.use": _("Use API token"),
    }
)


def operation_label(code: str) -> str | Promise:
    """Return the label of an operation; a code without a label is its own."""
    return OPERATION_LABELS.get(code, code)
