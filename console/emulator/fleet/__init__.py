"""The sample fleet: a company with six products, its devices, groups, tags, update packages and batches, edge instances.

Everything follows from the account and the number of devices, and times go by the emulator's clock: the fleet is two
years old at the moment of seeding. From then on its devices live like any others.
"""

from __future__ import annotations

import hashlib
import random
import sqlite3
import string
from typing import TYPE_CHECKING

from console.emulator.edge import sample as edge_sample
from console.emulator.fleet import devices, updates
from console.emulator.fleet.company import GATEWAY, LIFT, MODELS, REGIONS, Model
from console.emulator.routing.sample import add_sample_routing
from console.emulator.things.sample import give_models

if TYPE_CHECKING:
    from console.emulator.app import Emulator

DAY = 86_400_000
PILOT = "Pilot_Devices"
_LETTERS = string.ascii_letters + string.digits
PROTOTYPES = 12


def seed(emulator: Emulator, devices: int = 5000, account: str | None = None, instance: str = "") -> None:
    """Fill `account` (the first key's unless told) with about two years of a company's work on so many devices.

    Seeding what is seeded already changes nothing. Memory does not grow with the number of devices.
    """
    owner = _owner(account if account is not None else emulator.first_account, instance)
    now = emulator.clock.now()
    keys = {model.code: product_key(owner, model) for model in MODELS}
    with emulator.store.write() as db:
        known = db.execute("SELECT 1 FROM products WHERE product_key = ?", (keys[GATEWAY],)).fetchone()
        if known:
            return
        _write_products(db, owner, keys, now)
        give_models(db, owner.account, owner.instance)
        sites = _write_groups(db, owner, now)
    counts = _counts(devices)
    _write_devices(emulator, owner, keys, counts, sites, now)
    with emulator.store.write() as db:
        updates.write(emulator, db, owner, keys, devices, now)
        add_sample_routing(emulator, db, owner.account, owner.instance, keys, now)
        edge_sample.add_sample_edge_instances(db, owner, keys[GATEWAY], now)


def product_key(owner: devices.Owner, model: Model) -> str:
    """The key of a model's product, always the same for the same owner."""
    return "a1" + made_up(owner, model.code, 9)


def made_up(owner: devices.Owner, what: str, length: int) -> str:
    """Letters and digits that only the owner and `what` decide."""
    return "".join(random.Random(f"{owner.account}/{owner.instance}/{what}").choices(_LETTERS, k=length))


def _owner(account: str, instance: str) -> devices.Owner:
    digest = hashlib.sha256(f"{account}/{instance}".encode()).hexdigest()
    return devices.Owner(account, instance, digest[:5])


def _counts(total: int) -> dict[str, int]:
    """Devices of each model. The prototype stays a dozen, however large the fleet."""
    prototypes = min(PROTOTYPES, total // 20)
    others = [model for model in MODELS if model.code != LIFT]
    parts = devices.share_out(total - prototypes, [model.share for model in others])
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
                made_up(owner, f"secret of {model.code}", 16),
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
    """The tree of regions, cities and sites."""
    created = now - 700 * DAY

    def add(name: str, description: str, parent: str, level: int) -> str:
        group_id = made_up(owner, f"group {name}", 22)
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
        source = devices.make(owner, number, model, counts[model.code], counts[GATEWAY], now)
        devices.write(emulator.store, owner, keys[model.code], model, source, sites, now)
