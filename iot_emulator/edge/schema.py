"""The tables of edge computing.

An edge instance (`edge_id`) has one gateway, up to 30 drivers with their configurations, up to 1,000 devices, each bound
to one of the drivers, and deployments. A device or a gateway is in one edge instance only. The resources of a deployment
are stored with it at its creation, so that its history does not change later.
"""

from __future__ import annotations

SCHEMA = """
CREATE TABLE IF NOT EXISTS edge_instances (
    id INTEGER PRIMARY KEY,
    edge_id TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL,
    instance TEXT NOT NULL,
    name TEXT NOT NULL,
    tags TEXT NOT NULL DEFAULT '',
    spec INTEGER NOT NULL,
    enabled INTEGER NOT NULL DEFAULT 1,
    role_arn TEXT NOT NULL DEFAULT '',
    role_attached INTEGER,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    UNIQUE (account, instance, name)
);
CREATE INDEX IF NOT EXISTS edge_instances_page ON edge_instances (account, instance, created, id);
CREATE TABLE IF NOT EXISTS edge_gateways (
    edge_id TEXT PRIMARY KEY REFERENCES edge_instances (edge_id) ON DELETE CASCADE,
    iot_id TEXT NOT NULL UNIQUE REFERENCES devices (iot_id) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS edge_drivers (
    edge_id TEXT NOT NULL REFERENCES edge_instances (edge_id) ON DELETE CASCADE,
    driver_id TEXT NOT NULL,
    version TEXT NOT NULL,
    order_id TEXT NOT NULL DEFAULT '',
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    PRIMARY KEY (edge_id, driver_id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS edge_driver_configs (
    id INTEGER PRIMARY KEY,
    edge_id TEXT NOT NULL,
    driver_id TEXT NOT NULL,
    config_id TEXT NOT NULL,
    format TEXT NOT NULL,
    content TEXT NOT NULL,
    key TEXT NOT NULL DEFAULT '',
    FOREIGN KEY (edge_id, driver_id) REFERENCES edge_drivers (edge_id, driver_id) ON DELETE CASCADE
);
CREATE INDEX IF NOT EXISTS edge_driver_configs_driver ON edge_driver_configs (edge_id, driver_id, id);
CREATE TABLE IF NOT EXISTS edge_devices (
    id INTEGER PRIMARY KEY,
    iot_id TEXT NOT NULL UNIQUE REFERENCES devices (iot_id) ON DELETE CASCADE,
    edge_id TEXT NOT NULL REFERENCES edge_instances (edge_id) ON DELETE CASCADE,
    driver_id TEXT NOT NULL,
    config TEXT
);
CREATE INDEX IF NOT EXISTS edge_devices_page ON edge_devices (edge_id, id);
CREATE TABLE IF NOT EXISTS edge_deployments (
    id INTEGER PRIMARY KEY,
    deployment_id TEXT NOT NULL UNIQUE,
    edge_id TEXT NOT NULL REFERENCES edge_instances (edge_id) ON DELETE CASCADE,
    type TEXT NOT NULL,
    status INTEGER NOT NULL DEFAULT 0,
    stage INTEGER NOT NULL DEFAULT 0,
    task_id TEXT NOT NULL,
    gateway TEXT NOT NULL,
    resources TEXT NOT NULL,
    log TEXT NOT NULL,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    completed INTEGER,
    due INTEGER,
    deadline INTEGER
);
CREATE INDEX IF NOT EXISTS edge_deployments_page ON edge_deployments (edge_id, created, id);
CREATE INDEX IF NOT EXISTS edge_deployments_due ON edge_deployments (due) WHERE due IS NOT NULL;
"""
