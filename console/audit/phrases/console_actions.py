"""The words for the console's own actions."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy, pgettext_lazy

from console.audit.phrases.words import CREATE, DELETE, EDIT, Noun, Phrase, Verb

OBJECT = Noun(
    _("an object"),
    pgettext_lazy("in a sentence", "%(name)s"),
    ngettext_lazy("%(count)s object", "%(count)s objects", "number"),
)
CONNECTION = Noun(
    _("a connection"),
    _("connection %(name)s"),
    ngettext_lazy("%(count)s connection", "%(count)s connections", "number"),
)
USER = Noun(
    _("a user"),
    pgettext_lazy("in a sentence", "%(name)s"),
    ngettext_lazy("%(count)s user", "%(count)s users", "number"),
)
JOB = Noun(_("a job"), _("job %(name)s"), ngettext_lazy("%(count)s job", "%(count)s jobs", "number"))
ROLE = Noun(_("a role"), _("role %(name)s"), ngettext_lazy("%(count)s role", "%(count)s roles", "number"))
SSO_RULE = Noun(
    _("a single sign-on rule"),
    _("single sign-on rule %(name)s"),
    ngettext_lazy("%(count)s single sign-on rule", "%(count)s single sign-on rules", "number"),
)
TEAM = Noun(_("a team"), _("team %(name)s"), ngettext_lazy("%(count)s team", "%(count)s teams", "number"))
API_TOKEN = Noun(
    _("an API token"),
    _("API token %(name)s"),
    ngettext_lazy("%(count)s API token", "%(count)s API tokens", "number"),
)
TEAM_TOKEN = Noun(
    _("a team token"),
    _("team token %(name)s"),
    ngettext_lazy("%(count)s team token", "%(count)s team tokens", "number"),
)

PHRASES: Mapping[str, Phrase] = MappingProxyType(
    {
        "approval.altered": Phrase(
            Verb(
                _("Rejected the modified request for %(object)s"),
                _("Tried to reject the modified request for %(object)s"),
            ),
            OBJECT,
        ),
        "approval.approve": Phrase(
            Verb(_("Approved the request for %(object)s"), _("Tried to approve the request for %(object)s")),
            OBJECT,
        ),
        "approval.execute": Phrase(
            Verb(
                _("Ran the approved request for %(object)s"),
                _("Tried to run the approved request for %(object)s"),
            ),
            OBJECT,
            is_preparatory=True,
        ),
        "approval.expire": Phrase(
            Verb(_("The request for %(object)s expired"), _("The request for %(object)s could not expire")),
            OBJECT,
        ),
        "approval.refuse": Phrase(
            Verb(_("Rejected the request for %(object)s"), _("Tried to reject the request for %(object)s")),
            OBJECT,
        ),
        "approval.request": Phrase(
            Verb(_("Requested approval for %(object)s"), _("Tried to request approval for %(object)s")),
            OBJECT,
            is_preparatory=True,
        ),
        "approval.withdraw": Phrase(
            Verb(_("Withdrew the request for %(object)s"), _("Tried to withdraw the request for %(object)s")),
            OBJECT,
        ),
        "approvals.export": Phrase(
            Verb(_("Downloaded the list of approvals"), _("Tried to download the list of approvals"))
        ),
        "audit.export": Phrase(Verb(_("Downloaded the audit trail"), _("Tried to download the audit trail"))),
        "audit.export_reads": Phrase(
            Verb(_("Downloaded the read counts"), _("Tried to download the read counts"))
        ),
        "audit.prune": Phrase(
            Verb(
                _("Deleted old records of the audit trail"),
                _("Tried to delete old records of the audit trail"),
            )
        ),
        "connection.create": Phrase(CREATE, CONNECTION),
        "connection.delete": Phrase(DELETE, CONNECTION),
        "connection.edit": Phrase(EDIT, CONNECTION),
        "connection.test": Phrase(Verb(_("Tested %(object)s"), _("Tried to test %(object)s")), CONNECTION),
        "connections.export": Phrase(
            Verb(_("Downloaded the list of connections"), _("Tried to download the list of connections"))
        ),
        "devices.export": Phrase(
            Verb(_("Downloaded the list of devices"), _("Tried to download the list of devices"))
        ),
        "explorer.export": Phrase(
            Verb(_("Downloaded a response of the API"), _("Tried to download a response of the API"))
        ),
        "factor.add": Phrase(Verb(_("Added a second factor"), _("Tried to add a second factor"))),
        "factor.recovery_code": Phrase(Verb(_("Used a recovery code"), _("Tried to use a recovery code"))),
        "factor.recovery_codes": Phrase(
            Verb(_("Generated new recovery codes"), _("Tried to generate new recovery codes"))
        ),
        "factor.remove": Phrase(Verb(_("Removed a second factor"), _("Tried to remove a second factor"))),
        "factor.reset": Phrase(
            Verb(
                _("Reset the second factors of %(object)s"),
                _("Tried to reset the second factors of %(object)s"),
            ),
            USER,
        ),
        "groups.export": Phrase(
            Verb(_("Downloaded the list of groups"), _("Tried to download the list of groups"))
        ),
        "jobs.export": Phrase(
            Verb(_("Downloaded the list of jobs"), _("Tried to download the list of jobs"))
        ),
        "jobs.export.results": Phrase(
            Verb(_("Downloaded the results of %(object)s"), _("Tried to download the results of %(object)s")),
            JOB,
        ),
        "DownloadDeviceSecrets": Phrase(
            Verb(
                _("Downloaded the device secrets of %(object)s"),
                _("Tried to download the device secrets of %(object)s"),
            ),
            JOB,
        ),
        "messaging.export": Phrase(
            Verb(_("Downloaded a list of topics"), _("Tried to download a list of topics"))
        ),
        "ota.export": Phrase(
            Verb(_("Downloaded a list of updates"), _("Tried to download a list of updates"))
        ),
        "password.change": Phrase(Verb(_("Changed the password"), _("Tried to change the password"))),
        "password.reset": Phrase(Verb(_("Reset the password"), _("Tried to reset the password"))),
        "products.export": Phrase(
            Verb(_("Downloaded the list of products"), _("Tried to download the list of products"))
        ),
        "profile.delete": Phrase(Verb(_("Deleted their account"), _("Tried to delete their account"))),
        "profile.download": Phrase(
            Verb(_("Downloaded their personal data"), _("Tried to download their personal data"))
        ),
        "profile.edit": Phrase(Verb(_("Edited their profile"), _("Tried to edit their profile"))),
        "role.create": Phrase(CREATE, ROLE),
        "role.delete": Phrase(DELETE, ROLE),
        "role.edit": Phrase(EDIT, ROLE),
        "session.end": Phrase(Verb(_("Ended a session"), _("Tried to end a session"))),
        "session.expire": Phrase(Verb(_("A session expired"), _("A session could not expire"))),
        "session.forget_sign_on": Phrase(
            Verb(
                _("Unlinked the single sign-on identity of %(object)s"),
                _("Tried to unlink the single sign-on identity of %(object)s"),
            ),
            USER,
        ),
        "session.link_sign_on": Phrase(
            Verb(_("Linked a single sign-on identity"), _("Tried to link a single sign-on identity"))
        ),
        "session.lock": Phrase(
            Verb(_("Sign-in was locked after wrong attempts"), _("Sign-in could not be locked"))
        ),
        "session.reauthenticate": Phrase(
            Verb(_("Confirmed their identity"), _("Tried to confirm their identity"))
        ),
        "session.second_factor": Phrase(
            Verb(_("Entered the second factor"), _("Tried to enter the second factor"))
        ),
        "session.sign_in": Phrase(Verb(_("Signed in"), _("Tried to sign in"))),
        "session.sign_on": Phrase(
            Verb(_("Signed in with single sign-on"), _("Tried to sign in with single sign-on"))
        ),
        "session.sign_out": Phrase(Verb(_("Signed out"), _("Tried to sign out"))),
        "sign_on.add_rule": Phrase(CREATE, SSO_RULE),
        "sign_on.change_rule": Phrase(EDIT, SSO_RULE),
        "sign_on.delete_rule": Phrase(DELETE, SSO_RULE),
        "sign_on.move_rule": Phrase(Verb(_("Moved %(object)s"), _("Tried to move %(object)s")), SSO_RULE),
        "team.add_member": Phrase(
            Verb(_("Added %(object)s to the team"), _("Tried to add %(object)s to the team")), USER
        ),
        "team.bootstrap": Phrase(
            Verb(_("Set up %(object)s as team owner"), _("Tried to set up %(object)s as team owner")), USER
        ),
        "team.change_role": Phrase(
            Verb(
                _("Changed the role or access scope of %(object)s"),
                _("Tried to change the role or access scope of %(object)s"),
            ),
            USER,
        ),
        "team.create": Phrase(CREATE, TEAM),
        "team.delete": Phrase(DELETE, TEAM),
        "team.invite": Phrase(Verb(_("Invited %(object)s"), _("Tried to invite %(object)s")), USER),
        "team.join": Phrase(Verb(_("Joined the team"), _("Tried to join the team"))),
        "team.remove_member": Phrase(
            Verb(_("Removed %(object)s from the team"), _("Tried to remove %(object)s from the team")), USER
        ),
        "team.renew_invitation": Phrase(
            Verb(_("Renewed the invitation of %(object)s"), _("Tried to renew the invitation of %(object)s")),
            USER,
        ),
        "team.settings": Phrase(Verb(_("Edited the team settings"), _("Tried to edit the team settings"))),
        "team.transfer": Phrase(
            Verb(
                _("Transferred the ownership to %(object)s"),
                _("Tried to transfer the ownership to %(object)s"),
            ),
            USER,
        ),
        "team.withdraw_invitation": Phrase(
            Verb(
                _("Withdrew the invitation of %(object)s"),
                _("Tried to withdraw the invitation of %(object)s"),
            ),
            USER,
        ),
        "teams.export": Phrase(
            Verb(_("Downloaded a list from the settings"), _("Tried to download a list from the settings"))
        ),
        "token.make": Phrase(CREATE, API_TOKEN),
        "token.make_for_team": Phrase(CREATE, TEAM_TOKEN),
        "token.refused": Phrase(Verb(_("Rejected %(object)s"), _("Rejected %(object)s")), API_TOKEN),
        "token.revoke": Phrase(Verb(_("Revoked %(object)s"), _("Tried to revoke %(object)s")), API_TOKEN),
        "token.use": Phrase(
            Verb(_("Used %(object)s from a new address"), _("Tried to use %(object)s from a new address")),
            API_TOKEN,
        ),
    }
)
