"""The list of batches: which batches it shows, and that it says which ones it leaves out."""

from __future__ import annotations

import pytest

from console.areas.ota import api
from console.areas.ota.views import batch_list
from tests.areas.ota.packages import create_package

NOTE = "This list shows the batches of the newest 4 packages only."


@pytest.fixture
def create_batches(lamps, org, clock):
    """A function that creates packages with one batch each. Returns the packages and the batches, oldest first."""

    def create(count):
        packages, batches = [], []
        for number in range(count):
            clock.advance(60)
            packages.append(create_package(org, lamps, name=f"lamp-{number}", version=f"2.{number}"))
            batches.append(create_batch(org, packages[-1], clock))
        return packages, batches

    return create


def create_batch(org, package, clock):
    """Create a batch of one device and return its ID. The console does not monitor it.

    The device waits for a confirmation, so it never gets the version of the package, which a later batch would refuse.
    """
    clock.advance(60)
    response = org.gateway().call(
        "CreateOTAStaticUpgradeJob",
        FirmwareId=package.id,
        ProductKey=package.product_key,
        TargetSelection="SPECIFIC",
        TargetDeviceName=["lamp-1"],
        OverwriteMode=2,
        NeedConfirm=True,
    )
    return response["Data"]["JobId"]


def read_list(org, sign_in, query=""):
    """Return the IDs of the batches that the page shows, and its HTML."""
    page = sign_in("viewer").get(org.url(f"ota/batches/{query}"))
    assert page.status_code == 200
    return [batch.id for batch in page.context["table"].rows], page.content.decode()


def test_the_batches_of_several_packages_are_in_one_list_newest_first(create_batches, org, sign_in, clock):
    packages, batches = create_batches(4)
    batches.append(create_batch(org, packages[0], clock))
    shown, text = read_list(org, sign_in)
    assert shown == batches[::-1]
    assert NOTE not in text
    assert "To see other batches" not in text


def test_the_list_has_pages(create_batches, org, sign_in, clock):
    packages, batches = create_batches(1)
    batches += [create_batch(org, packages[0], clock) for _ in range(11)]
    assert read_list(org, sign_in, "?size=10")[0] == batches[:1:-1]
    assert read_list(org, sign_in, "?size=10&page=2")[0] == batches[1::-1]


def test_the_list_says_that_it_leaves_out_packages_and_the_filters_reach_them(
    create_batches, org, sign_in, lamps
):
    packages, batches = create_batches(5)
    shown, text = read_list(org, sign_in)
    assert shown == batches[:0:-1]
    assert f"{NOTE} To see other batches, filter by product, version or package." in text
    assert f'<option value="{packages[0].id}">' in text
    for query in (f"?package={packages[0].id}", "?version=2.0", f"?product={lamps}&version=2.0"):
        shown, text = read_list(org, sign_in, query)
        assert shown == batches[:1], query
        assert NOTE not in text


def test_the_list_says_that_it_leaves_out_batches_of_a_package(
    create_batches, org, sign_in, clock, monkeypatch
):
    monkeypatch.setattr(api, "MAX_BATCHES", 2)
    packages, batches = create_batches(1)
    batches += [create_batch(org, packages[0], clock) for _ in range(2)]
    shown, text = read_list(org, sign_in)
    assert shown == batches[:0:-1]
    assert "It shows up to 2 batches of each package. To see other batches" in text
    shown, text = read_list(org, sign_in, f"?package={packages[0].id}")
    assert shown == batches[::-1]
    assert "To see other batches" not in text


def test_a_version_of_a_package_beyond_the_choices_is_found(create_batches, org, sign_in, monkeypatch):
    """With more packages than one call returns, the product and version still lead to each package."""
    monkeypatch.setattr(batch_list, "MAX_CHOICES", 2)
    packages, batches = create_batches(3)
    shown, text = read_list(org, sign_in)
    assert shown == batches[:0:-1]
    assert "This list shows the batches of the newest 2 packages only." in text
    assert f'<option value="{packages[0].id}">' not in text
    assert read_list(org, sign_in, "?version=2.0")[0] == batches[:1]
