"""The words of sentences about audit records: verbs and nouns.

A verb is a whole sentence with a place for its object. A noun is an object without a name, with its name, or in a number. The operations of
the platform share them, so that a text is translated once and not for each of 194 operations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy, pgettext_lazy

Text = str | Promise


@dataclass(frozen=True)
class Verb:
    """A sentence in the past tense: `done` if the action was carried out, `tried` if it was not, or if that is unknown.

    Both may contain `%(object)s` and `%(place)s`.
    """

    done: Text
    tried: Text


@dataclass(frozen=True)
class Noun:
    """A kind of object in a sentence: without a name, with its name (`%(name)s`), in a number (`%(count)s`, the plural by `number`)."""

    unnamed: Text
    named: Text
    counted: Text


VERBS: Mapping[str, Verb] = MappingProxyType(
    {
        "create": Verb(_("Created %(object)s"), _("Tried to create %(object)s")),
        "edit": Verb(_("Edited %(object)s"), _("Tried to edit %(object)s")),
        "delete": Verb(_("Deleted %(object)s"), _("Tried to delete %(object)s")),
        "view": Verb(_("Viewed %(object)s"), _("Tried to view %(object)s")),
        "view_secrets": Verb(_("Viewed secrets of %(object)s"), _("Tried to view secrets of %(object)s")),
        "register": Verb(_("Registered %(object)s"), _("Tried to register %(object)s")),
        "register_in": Verb(
            _("Registered %(object)s in %(place)s"), _("Tried to register %(object)s in %(place)s")
        ),
        "check_names": Verb(
            _("Checked the names of %(object)s"), _("Tried to check the names of %(object)s")
        ),
        "check_names_in": Verb(
            _("Checked the names of %(object)s in %(place)s"),
            _("Tried to check the names of %(object)s in %(place)s"),
        ),
        "disable": Verb(_("Disabled %(object)s"), _("Tried to disable %(object)s")),
        "enable": Verb(_("Enabled %(object)s"), _("Tried to enable %(object)s")),
        "reset": Verb(_("Reset %(object)s"), _("Tried to reset %(object)s")),
        "nickname": Verb(
            _("Changed the nickname of %(object)s"), _("Tried to change the nickname of %(object)s")
        ),
        "tag": Verb(_("Set tags of %(object)s"), _("Tried to set tags of %(object)s")),
        "untag": Verb(_("Removed tags of %(object)s"), _("Tried to remove tags of %(object)s")),
        "client_id": Verb(
            _("Set the client ID of %(object)s"), _("Tried to set the client ID of %(object)s")
        ),
        "delete_client_ids": Verb(
            _("Deleted the client IDs of %(object)s"), _("Tried to delete the client IDs of %(object)s")
        ),
        "ask_topology": Verb(
            _("Asked %(object)s to add sub-devices"), _("Tried to ask %(object)s to add sub-devices")
        ),
        "add_topology": Verb(
            _("Added sub-devices to %(object)s"), _("Tried to add sub-devices to %(object)s")
        ),
        "leave_topology": Verb(
            _("Removed %(object)s from its gateway"), _("Tried to remove %(object)s from its gateway")
        ),
        "delete_file": Verb(_("Deleted a file of %(object)s"), _("Tried to delete a file of %(object)s")),
        "distribute_devices": Verb(
            _("Started to distribute devices of %(object)s"), _("Tried to distribute devices of %(object)s")
        ),
        "distribute": Verb(_("Started to distribute %(object)s"), _("Tried to distribute %(object)s")),
        "add_to_group": Verb(_("Added %(object)s to %(place)s"), _("Tried to add %(object)s to %(place)s")),
        "remove_from_group": Verb(
            _("Removed %(object)s from %(place)s"), _("Tried to remove %(object)s from %(place)s")
        ),
        "shadow": Verb(_("Changed the shadow of %(object)s"), _("Tried to change the shadow of %(object)s")),
        "send_message": Verb(_("Sent a message to %(object)s"), _("Tried to send a message to %(object)s")),
        "publish": Verb(
            _("Published a message on %(object)s"), _("Tried to publish a message on %(object)s")
        ),
        "send_request": Verb(_("Sent a request to %(object)s"), _("Tried to send a request to %(object)s")),
        "subscribe": Verb(_("Subscribed %(object)s to topics"), _("Tried to subscribe %(object)s to topics")),
        "add_destination": Verb(
            _("Added a destination to %(object)s"), _("Tried to add a destination to %(object)s")
        ),
        "start": Verb(_("Started %(object)s"), _("Tried to start %(object)s")),
        "stop": Verb(_("Stopped %(object)s"), _("Tried to stop %(object)s")),
        "add_source_topic": Verb(
            _("Added a topic to a data source"), _("Tried to add a topic to a data source")
        ),
        "remove_source_topic": Verb(
            _("Removed a topic from %(object)s"), _("Tried to remove a topic from %(object)s")
        ),
        "subscribe_product": Verb(
            _("Created a subscription of %(object)s"), _("Tried to create a subscription of %(object)s")
        ),
        "edit_subscription": Verb(
            _("Changed the subscription of %(object)s"), _("Tried to change the subscription of %(object)s")
        ),
        "delete_subscription": Verb(
            _("Deleted the subscription of %(object)s"), _("Tried to delete the subscription of %(object)s")
        ),
        "clear_messages": Verb(
            _("Deleted the waiting messages of %(object)s"),
            _("Tried to delete the waiting messages of %(object)s"),
        ),
        "add_consumer": Verb(
            _("Added %(object)s to a subscription"), _("Tried to add %(object)s to a subscription")
        ),
        "remove_consumer": Verb(
            _("Removed %(object)s from a subscription"), _("Tried to remove %(object)s from a subscription")
        ),
        "add_routes": Verb(
            _("Started to forward messages of %(object)s"), _("Tried to forward messages of %(object)s")
        ),
        "remove_routes": Verb(
            _("Stopped forwarding messages of %(object)s"),
            _("Tried to stop forwarding messages of %(object)s"),
        ),
        "publish_product": Verb(_("Published %(object)s"), _("Tried to publish %(object)s")),
        "unpublish_product": Verb(_("Unpublished %(object)s"), _("Tried to unpublish %(object)s")),
        "duplicates": Verb(
            _("Set the rule for duplicates of %(object)s"),
            _("Tried to set the rule for duplicates of %(object)s"),
        ),
        "add_features": Verb(
            _("Added features to the thing model of %(object)s"),
            _("Tried to add features to the thing model of %(object)s"),
        ),
        "edit_features": Verb(
            _("Edited the thing model of %(object)s"), _("Tried to edit the thing model of %(object)s")
        ),
        "copy_model": Verb(
            _("Copied a thing model to %(object)s"), _("Tried to copy a thing model to %(object)s")
        ),
        "publish_model": Verb(
            _("Published the thing model of %(object)s"), _("Tried to publish the thing model of %(object)s")
        ),
        "delete_features": Verb(
            _("Deleted features of the thing model of %(object)s"),
            _("Tried to delete features of the thing model of %(object)s"),
        ),
        "import_model": Verb(
            _("Imported the thing model of %(object)s"), _("Tried to import the thing model of %(object)s")
        ),
        "create_script": Verb(
            _("Created the script of %(object)s"), _("Tried to create the script of %(object)s")
        ),
        "edit_script": Verb(
            _("Edited the script of %(object)s"), _("Tried to edit the script of %(object)s")
        ),
        "set_properties": Verb(_("Set properties of %(object)s"), _("Tried to set properties of %(object)s")),
        "set_desired": Verb(
            _("Set desired properties of %(object)s"), _("Tried to set desired properties of %(object)s")
        ),
        "call_service": Verb(_("Called a service of %(object)s"), _("Tried to call a service of %(object)s")),
        "assign_gateway": Verb(
            _("Assigned %(object)s to an edge instance"), _("Tried to assign %(object)s to an edge instance")
        ),
        "assign_driver": Verb(
            _("Assigned a driver to %(object)s"), _("Tried to assign a driver to %(object)s")
        ),
        "remove_driver": Verb(
            _("Removed a driver from %(object)s"), _("Tried to remove a driver from %(object)s")
        ),
        "driver_settings": Verb(
            _("Set the driver configuration of %(object)s"),
            _("Tried to set the driver configuration of %(object)s"),
        ),
        "clear_driver_settings": Verb(
            _("Removed the driver configuration of %(object)s"),
            _("Tried to remove the driver configuration of %(object)s"),
        ),
        "device_settings": Verb(
            _("Set device configurations of %(object)s"),
            _("Tried to set device configurations of %(object)s"),
        ),
        "clear_device_settings": Verb(
            _("Removed device configurations of %(object)s"),
            _("Tried to remove device configurations of %(object)s"),
        ),
        "deploy": Verb(_("Deployed %(object)s"), _("Tried to deploy %(object)s")),
        "stop_deployment": Verb(
            _("Stopped the deployment of %(object)s"), _("Tried to stop the deployment of %(object)s")
        ),
        "prepare_package_upload": Verb(
            _("Prepared the upload of a package file"), _("Tried to prepare the upload of a package file")
        ),
        "prepare_list_upload": Verb(
            _("Prepared the upload of a device list"), _("Tried to prepare the upload of a device list")
        ),
        "verify": Verb(
            _("Started the verification of %(object)s"), _("Tried to start the verification of %(object)s")
        ),
        "static_batch": Verb(
            _("Created a static batch for %(object)s"), _("Tried to create a static batch for %(object)s")
        ),
        "dynamic_batch": Verb(
            _("Created a dynamic batch for %(object)s"), _("Tried to create a dynamic batch for %(object)s")
        ),
        "stop_adding": Verb(
            _("Stopped adding devices to %(object)s"), _("Tried to stop adding devices to %(object)s")
        ),
        "cancel": Verb(_("Canceled %(object)s"), _("Tried to cancel %(object)s")),
        "cancel_updates": Verb(
            _("Canceled updates of %(object)s"), _("Tried to cancel updates of %(object)s")
        ),
        "confirm_updates": Verb(
            _("Confirmed updates of %(object)s"), _("Tried to confirm updates of %(object)s")
        ),
        "retry_updates": Verb(_("Retried updates of %(object)s"), _("Tried to retry updates of %(object)s")),
        "request_approval": Verb(
            _("Requested approval for %(object)s"), _("Tried to request approval for %(object)s")
        ),
        "approve": Verb(
            _("Approved the request for %(object)s"), _("Tried to approve the request for %(object)s")
        ),
        "reject": Verb(
            _("Rejected the request for %(object)s"), _("Tried to reject the request for %(object)s")
        ),
        "reject_modified": Verb(
            _("Rejected the modified request for %(object)s"),
            _("Tried to reject the modified request for %(object)s"),
        ),
        "withdraw": Verb(
            _("Withdrew the request for %(object)s"), _("Tried to withdraw the request for %(object)s")
        ),
        "expire": Verb(
            _("The request for %(object)s expired"), _("The request for %(object)s could not expire")
        ),
        "run_approved": Verb(
            _("Ran the approved request for %(object)s"),
            _("Tried to run the approved request for %(object)s"),
        ),
        "download_approvals": Verb(
            _("Downloaded the list of approvals"), _("Tried to download the list of approvals")
        ),
        "download_audit": Verb(_("Downloaded the audit trail"), _("Tried to download the audit trail")),
        "download_reads": Verb(_("Downloaded the read counts"), _("Tried to download the read counts")),
        "download_devices": Verb(
            _("Downloaded the list of devices"), _("Tried to download the list of devices")
        ),
        "download_jobs": Verb(_("Downloaded the list of jobs"), _("Tried to download the list of jobs")),
        "download_results": Verb(
            _("Downloaded the results of %(object)s"), _("Tried to download the results of %(object)s")
        ),
        "download_secrets": Verb(
            _("Downloaded the device secrets of %(object)s"),
            _("Tried to download the device secrets of %(object)s"),
        ),
        "download_products": Verb(
            _("Downloaded the list of products"), _("Tried to download the list of products")
        ),
        "download_groups": Verb(
            _("Downloaded the list of groups"), _("Tried to download the list of groups")
        ),
        "download_ota": Verb(_("Downloaded a list of updates"), _("Tried to download a list of updates")),
        "download_messaging": Verb(_("Downloaded a list of topics"), _("Tried to download a list of topics")),
        "download_team": Verb(_("Downloaded a list of the team"), _("Tried to download a list of the team")),
        "download_connections": Verb(
            _("Downloaded the list of connections"), _("Tried to download the list of connections")
        ),
        "download_explorer": Verb(
            _("Downloaded a response of the API"), _("Tried to download a response of the API")
        ),
        "prune": Verb(
            _("Deleted old records of the audit trail"), _("Tried to delete old records of the audit trail")
        ),
        "test": Verb(_("Tested %(object)s"), _("Tried to test %(object)s")),
        "add_factor": Verb(_("Added a second factor"), _("Tried to add a second factor")),
        "use_recovery_code": Verb(_("Used a recovery code"), _("Tried to use a recovery code")),
        "new_recovery_codes": Verb(
            _("Generated new recovery codes"), _("Tried to generate new recovery codes")
        ),
        "remove_factor": Verb(_("Removed a second factor"), _("Tried to remove a second factor")),
        "reset_factors": Verb(
            _("Reset the second factors of %(object)s"), _("Tried to reset the second factors of %(object)s")
        ),
        "change_password": Verb(_("Changed the password"), _("Tried to change the password")),
        "reset_password": Verb(_("Reset the password"), _("Tried to reset the password")),
        "delete_account": Verb(_("Deleted their account"), _("Tried to delete their account")),
        "download_personal_data": Verb(
            _("Downloaded their personal data"), _("Tried to download their personal data")
        ),
        "edit_profile": Verb(_("Edited their profile"), _("Tried to edit their profile")),
        "end_session": Verb(_("Ended a session"), _("Tried to end a session")),
        "expire_session": Verb(_("A session expired"), _("A session could not expire")),
        "unlink_identity": Verb(
            _("Unlinked the SSO identity of %(object)s"), _("Tried to unlink the SSO identity of %(object)s")
        ),
        "link_identity": Verb(_("Linked an SSO identity"), _("Tried to link an SSO identity")),
        "lock": Verb(_("Sign-in was locked after wrong attempts"), _("Sign-in could not be locked")),
        "reauthenticate": Verb(_("Confirmed their identity"), _("Tried to confirm their identity")),
        "second_factor": Verb(_("Entered the second factor"), _("Tried to enter the second factor")),
        "sign_in": Verb(_("Signed in"), _("Tried to sign in")),
        "sign_on": Verb(_("Signed in with SSO"), _("Tried to sign in with SSO")),
        "sign_out": Verb(_("Signed out"), _("Tried to sign out")),
        "move": Verb(_("Moved %(object)s"), _("Tried to move %(object)s")),
        "add_member": Verb(_("Added %(object)s to the team"), _("Tried to add %(object)s to the team")),
        "bootstrap": Verb(
            _("Set up %(object)s as team owner"), _("Tried to set up %(object)s as team owner")
        ),
        "change_role": Verb(
            _("Changed the role or access scope of %(object)s"),
            _("Tried to change the role or access scope of %(object)s"),
        ),
        "invite": Verb(_("Invited %(object)s"), _("Tried to invite %(object)s")),
        "join": Verb(_("Joined the team"), _("Tried to join the team")),
        "remove_member": Verb(
            _("Removed %(object)s from the team"), _("Tried to remove %(object)s from the team")
        ),
        "renew_invitation": Verb(
            _("Renewed the invitation of %(object)s"), _("Tried to renew the invitation of %(object)s")
        ),
        "team_settings": Verb(_("Edited the team settings"), _("Tried to edit the team settings")),
        "transfer": Verb(
            _("Transferred the ownership to %(object)s"), _("Tried to transfer the ownership to %(object)s")
        ),
        "withdraw_invitation": Verb(
            _("Withdrew the invitation of %(object)s"), _("Tried to withdraw the invitation of %(object)s")
        ),
        "reject_token": Verb(_("Rejected %(object)s"), _("Rejected %(object)s")),
        "revoke": Verb(_("Revoked %(object)s"), _("Tried to revoke %(object)s")),
        "first_use": Verb(
            _("Used %(object)s from a new address"), _("Tried to use %(object)s from a new address")
        ),
    }
)
NOUNS: Mapping[str, Noun] = MappingProxyType(
    {
        "device": Noun(
            _("a device"),
            _("device %(name)s"),
            ngettext_lazy("%(count)s device", "%(count)s devices", "number"),
        ),
        "devices": Noun(
            _("devices"),
            _("device %(name)s"),
            ngettext_lazy("%(count)s device", "%(count)s devices", "number"),
        ),
        "gateway": Noun(
            _("a gateway"),
            _("gateway %(name)s"),
            ngettext_lazy("%(count)s gateway", "%(count)s gateways", "number"),
        ),
        "product": Noun(
            _("a product"),
            _("product %(name)s"),
            ngettext_lazy("%(count)s product", "%(count)s products", "number"),
        ),
        "products": Noun(
            _("products"),
            _("product %(name)s"),
            ngettext_lazy("%(count)s product", "%(count)s products", "number"),
        ),
        "group": Noun(
            _("a group"), _("group %(name)s"), ngettext_lazy("%(count)s group", "%(count)s groups", "number")
        ),
        "groups": Noun(
            _("groups"), _("group %(name)s"), ngettext_lazy("%(count)s group", "%(count)s groups", "number")
        ),
        "distribution": Noun(
            _("a distribution"),
            _("distribution %(name)s"),
            ngettext_lazy("%(count)s distribution", "%(count)s distributions", "number"),
        ),
        "registration": Noun(
            _("a registration"),
            _("registration %(name)s"),
            ngettext_lazy("%(count)s registration", "%(count)s registrations", "number"),
        ),
        "topic": Noun(
            _("a topic"), _("topic %(name)s"), ngettext_lazy("%(count)s topic", "%(count)s topics", "number")
        ),
        "category": Noun(
            _("a topic category"),
            _("topic category %(name)s"),
            ngettext_lazy("%(count)s topic category", "%(count)s topic categories", "number"),
        ),
        "rule": Noun(
            _("a rule"), _("rule %(name)s"), ngettext_lazy("%(count)s rule", "%(count)s rules", "number")
        ),
        "destination": Noun(
            _("a destination of a rule"),
            _("destination %(name)s"),
            ngettext_lazy("%(count)s destination", "%(count)s destinations", "number"),
        ),
        "source": Noun(
            _("a data source"),
            _("data source %(name)s"),
            ngettext_lazy("%(count)s data source", "%(count)s data sources", "number"),
        ),
        "consumers": Noun(
            _("a consumer group"),
            _("consumer group %(name)s"),
            ngettext_lazy("%(count)s consumer group", "%(count)s consumer groups", "number"),
        ),
        "edge": Noun(
            _("an edge instance"),
            _("edge instance %(name)s"),
            ngettext_lazy("%(count)s edge instance", "%(count)s edge instances", "number"),
        ),
        "package": Noun(
            _("an update package"),
            _("update package %(name)s"),
            ngettext_lazy("%(count)s update package", "%(count)s update packages", "number"),
        ),
        "batch": Noun(
            _("a batch"), _("batch %(name)s"), ngettext_lazy("%(count)s batch", "%(count)s batches", "number")
        ),
        "module": Noun(
            _("a module"),
            _("module %(name)s"),
            ngettext_lazy("%(count)s module", "%(count)s modules", "number"),
        ),
        "template": Noun(
            _("a standard thing model"),
            _("standard thing model %(name)s"),
            ngettext_lazy("%(count)s standard thing model", "%(count)s standard thing models", "number"),
        ),
        "object": Noun(
            _("an object"),
            pgettext_lazy("in a sentence", "%(name)s"),
            ngettext_lazy("%(count)s object", "%(count)s objects", "number"),
        ),
        "job": Noun(
            _("a job"), _("job %(name)s"), ngettext_lazy("%(count)s job", "%(count)s jobs", "number")
        ),
        "connection": Noun(
            _("a connection"),
            _("connection %(name)s"),
            ngettext_lazy("%(count)s connection", "%(count)s connections", "number"),
        ),
        "role": Noun(
            _("a role"), _("role %(name)s"), ngettext_lazy("%(count)s role", "%(count)s roles", "number")
        ),
        "sso_rule": Noun(
            _("an SSO rule"),
            _("SSO rule %(name)s"),
            ngettext_lazy("%(count)s SSO rule", "%(count)s SSO rules", "number"),
        ),
        "person": Noun(
            _("a user"),
            pgettext_lazy("in a sentence", "%(name)s"),
            ngettext_lazy("%(count)s user", "%(count)s users", "number"),
        ),
        "team": Noun(
            _("a team"), _("team %(name)s"), ngettext_lazy("%(count)s team", "%(count)s teams", "number")
        ),
        "token": Noun(
            _("an API token"),
            _("API token %(name)s"),
            ngettext_lazy("%(count)s API token", "%(count)s API tokens", "number"),
        ),
        "team_token": Noun(
            _("a team token"),
            _("team token %(name)s"),
            ngettext_lazy("%(count)s team token", "%(count)s team tokens", "number"),
        ),
    }
)
