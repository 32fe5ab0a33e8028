"""The sample fleet: a company with six products, its devices, groups, tags, update packages and batches, edge instances.

The data depends only on the account and the number of devices. Times are relative to the emulator's clock: the fleet is
two years old at the time of seeding. After that, its devices behave like all other devices.
"""

from __future__ import annotations

import hashlib
import random
import sqlite3
import string
from typing import TYPE_CHECKING

from iot_emulator.edge import sample as edge_sample
from iot_emulator.fleet import devices, updates
from iot_emulator.fleet.company import GATEWAY, LIFT, MODELS, REGIONS, Model
from iot_emulator.routing.sample import add_sample_routing
from iot_emulator.things.sample import add_sample_models

if TYPE_CHECKING:
    from iot_emulator.app import Emulator

DAY = 86_400_000
PILOT = "Pilot_Devices"
_LETTERS = string.ascii_letters + string.digits
PROTOTYPES = 12


def seed_fleet(
    emulator: Emulator, devices: int = 5000, account: str | None = None, instance: str = ""
) -> None:
    """Fill `account` (default: the account of the first key) with about two years of a company's data for `devices` devices.

    Seeding a second time has no effect. Memory use does not depend on the number of devices.
    """
    owner = _make_owner(account if account is not None else emulator.first_account, instance)
    now = emulator.clock.now()
    keys = {model.code: make_product_key(owner, model) for model in MODELS}
    with emulator.store.write() as db:
        seeded = db.execute("SELECT 1 FROM products WHERE product_key = ?", (keys[GATEWAY],)).fetchone()
        if seeded:
            return
        _write_products(db, owner, keys, now)
        add_sample_models(db, owner.account, owner.instance)
        sites = _write_groups(db, owner, now)
    counts = _count_per_model(devices)
    _write_devices(emulator, owner, keys, counts, sites, now)
    with emulator.store.write() as db:
        updates.write_updates(emulator, db, owner, keys, devices, now)
        add_sample_routing(emulator, db, owner.account, owner.instance, keys, now)
        edge_sample.add_sample_edge_instances(db, owner, keys[GATEWAY], now)


def make_product_key(owner: devices.Owner, model: Model) -> str:
    """Make the key of a model's product, always the same for the same owner."""
    return "a1" + make_id(owner, model.code, 9)


def make_id(owner: devices.Owner, name: str, length: int) -> str:
    """Make an id of letters and digits from the owner and `name`, always the same for the same input."""
    return "".join(random.Random(f"{owner.account}/{owner.instance}/{name}").choices(_LETTERS, k=length))


def _make_owner(account: str, instance: str) -> devices.Owner:
    digest = hashlib.sha256(f"{account}/{instance}".encode()).hexdigest()
    return devices.Owner(account, instance, digest[:5])


def _count_per_model(total: int) -> dict[str, int]:
    """Count the devices of each model. There are at most 12 prototypes in a fleet of any size."""
    prototypes = min(PROTOTYPES, total // 20)
    others = [model for model in MODELS if model.code != LIFT]
    parts = devices.split_by_shares(total - prototypes, [model.share for model in others])
    return {**{model.code: part for model, part in zip(others, parts, strict=True)}, LIFT: prototypes}


def _write_products(db: sqlite3.Connection, owner: devices.Owner, keys: dict[str, str], now: int) -> None:
    for model in MODELS:
        created = now - (model.days + 20) * DAY
        db.execute(
            "INSERT INTO products (product_key, account, instance, name, description, node_type, net_type,"
            " protocol_type, category_key, category_name, secret, status, factory_version, created, modified)"
            " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            (
                keys[model.code],
                owner.account,
                owner.instance,
                model.name,
                model.description,
                model.node_type,
                model.net_type,
                model.protocol_type,
                model.category_key,
                model.category_name,
                make_id(owner, f"secret of {model.code}", 16),
                "RELEASE_STATUS" if model.published else "DEVELOPMENT_STATUS",
                model.releases[-2].version,
                created,
                created + 15 * DAY,
            ),
        )
        db.executemany(
            "INSERT INTO product_tags (product_key, key, value) VALUES (?, ?, ?)",
            ((keys[model.code], key, value) for key, value in model.tags),
        )


def _write_groups(db: sqlite3.Connection, owner: devices.Owner, now: int) -> devices.Sites:
    """Write the groups: a tree of regions, cities and sites, and the pilot group."""
    created = now - 700 * DAY

    def add(name: str, description: str, parent: str, level: int) -> str:
        group_id = make_id(owner, f"group {name}", 22)
        db.execute(
            "INSERT INTO groups (group_id, account, instance, name, description, parent, level, created)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (group_id, owner.account, owner.instance, name, description, parent, level, created),
        )
        return group_id

    site_ids = []
    for name, chinese, cities in REGIONS:
        region_id = add(name, f"Sales region {chinese}", "", 1)
        db.execute("INSERT INTO group_tags (group_id, key, value) VALUES (?, 'region', ?)", (region_id, name))
        for city in cities:
            city_id = add(f"{city.name}_{city.chinese}", f"Service point {city.code}", region_id, 2)
            for site in city.sites:
                site_id = add(site.name, f"{site.chinese}, {site.district}", city_id, 3)
                db.execute(
                    "INSERT INTO group_tags (group_id, key, value) VALUES (?, 'city', ?)",
                    (site_id, city.name),
                )
                site_ids.append(site_id)
    pilot = add(PILOT, "Devices that get new firmware first", "", 1)
    return devices.Sites(site_ids, pilot)


def _write_devices(
    emulator: Emulator,
    owner: devices.Owner,
    keys: dict[str, str],
    counts: dict[str, int],
    sites: devices.Sites,
    now: int,
) -> None:
    for number, model in enumerate(MODELS):
        source = devices.generate_devices(owner, number, model, counts[model.code], counts[GATEWAY], now)
        devices.write_devices(emulator.store, owner, keys[model.code], model, source, sites, now)
