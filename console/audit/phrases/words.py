"""What phrases are made of, and the verbs and nouns that operations of several areas share."""

from __future__ import annotations

from dataclasses import dataclass, replace

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

Text = str | Promise


@dataclass(frozen=True)
class Verb:
    """A sentence in the past tense: `done` if the action was carried out, `tried` if it was not, or if that is unknown.

    Both may contain `%(object)s` and `%(place)s`. `in_place` is the sentence for a record whose target names the place.
    """

    done: Text
    tried: Text
    in_place: Verb | None = None


@dataclass(frozen=True)
class Noun:
    """A kind of object in a sentence: without a name, with its name (`%(name)s`), in a number (`%(count)s`, the plural by
    `number`)."""

    unnamed: Text
    named: Text
    counted: Text
    # Records name it by its product and its own name, with a slash between them.
    is_of_product: bool = False


@dataclass(frozen=True)
class Phrase:
    """The words for an operation: its verb, and the kinds of its object and place.

    The target of a record names the place if there is one, otherwise the object. `items` is the parameter that lists the objects.
    `names_objects`: whether the target or the list names the objects; else only their number is known. `is_preparatory`: in a job
    with other operations, the sentence about the job is about one of those.
    """

    verb: Verb
    object: Noun | None = None
    place: Noun | None = None
    items: str = ""
    names_objects: bool = True
    is_preparatory: bool = False


# Reads are recorded if they reveal secrets.
VIEW = Verb(_("Viewed secrets of %(object)s"), _("Tried to view %(object)s"))
CREATE = Verb(_("Created %(object)s"), _("Tried to create %(object)s"))
EDIT = Verb(_("Edited %(object)s"), _("Tried to edit %(object)s"))
DELETE = Verb(_("Deleted %(object)s"), _("Tried to delete %(object)s"))
SET_TAGS = Verb(_("Set tags of %(object)s"), _("Tried to set tags of %(object)s"))
REMOVE_TAGS = Verb(_("Removed tags of %(object)s"), _("Tried to remove tags of %(object)s"))
ADD_TO = Verb(_("Added %(object)s to %(place)s"), _("Tried to add %(object)s to %(place)s"))
REMOVE_FROM = Verb(_("Removed %(object)s from %(place)s"), _("Tried to remove %(object)s from %(place)s"))

PRODUCT = Noun(
    _("a product"), _("product %(name)s"), ngettext_lazy("%(count)s product", "%(count)s products", "number")
)
PRODUCTS = replace(PRODUCT, unnamed=_("products"))
DEVICE = Noun(
    _("a device"),
    _("device %(name)s"),
    ngettext_lazy("%(count)s device", "%(count)s devices", "number"),
    is_of_product=True,
)
DEVICES = replace(DEVICE, unnamed=_("devices"))
GATEWAY = Noun(
    _("a gateway"),
    _("gateway %(name)s"),
    ngettext_lazy("%(count)s gateway", "%(count)s gateways", "number"),
    is_of_product=True,
)
