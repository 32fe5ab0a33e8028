"""The words for the operations of products."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from django.utils.translation import gettext_lazy as _

from console.audit.phrases.words import (
    CREATE,
    DELETE,
    EDIT,
    PRODUCT,
    PRODUCTS,
    REMOVE_TAGS,
    SET_TAGS,
    VIEW,
    Phrase,
    Verb,
)

PHRASES: Mapping[str, Phrase] = MappingProxyType(
    {
        "CreateProduct": Phrase(CREATE, PRODUCT),
        "QueryProduct": Phrase(VIEW, PRODUCT),
        "QueryProductList": Phrase(VIEW, PRODUCTS),
        "UpdateProduct": Phrase(EDIT, PRODUCT),
        "DeleteProduct": Phrase(DELETE, PRODUCT),
        "CreateProductTags": Phrase(SET_TAGS, PRODUCT),
        "UpdateProductTags": Phrase(SET_TAGS, PRODUCT),
        "DeleteProductTags": Phrase(REMOVE_TAGS, PRODUCT),
        "ListProductTags": Phrase(VIEW, PRODUCT),
        "ListProductByTags": Phrase(VIEW, PRODUCTS),
        "UpdateProductFilterConfig": Phrase(
            Verb(
                _("Set the deduplication rules of %(object)s"),
                _("Tried to set the deduplication rules of %(object)s"),
            ),
            PRODUCT,
        ),
        "ReleaseProduct": Phrase(Verb(_("Published %(object)s"), _("Tried to publish %(object)s")), PRODUCT),
        "CancelReleaseProduct": Phrase(
            Verb(_("Unpublished %(object)s"), _("Tried to unpublish %(object)s")), PRODUCT
        ),
    }
)
