"""Update packages: uploading files, creating packages from uploaded files, listing and deleting packages."""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
from dataclasses import asdict, dataclass
from enum import IntEnum
from typing import Any

from iot_emulator import objects
from iot_emulator.call import Call
from iot_emulator.errors import ServiceError
from iot_emulator.formats import format_utc, random_text
from iot_emulator.lookups import find_product
from iot_emulator.ota import common, modules
from iot_emulator.paging import read_page

PACKAGE_LIMIT = 2_000 * 1024 * 1024
DEVICE_LIST_LIMIT = 5 * 1024 * 1024
PACKAGES_LIMIT = 500
FILES_LIMIT = 20
CREATE_WINDOW_MS = 60 * 60_000
VERSION = re.compile(r"[A-Za-z0-9._-]{1,64}")
NAME = re.compile(r"[^\W_][\w()-]{0,39}")

SCHEMA = """
CREATE TABLE IF NOT EXISTS ota_packages (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    instance TEXT NOT NULL,
    name TEXT NOT NULL,
    product_key TEXT NOT NULL,
    module TEXT NOT NULL,
    kind INTEGER NOT NULL,
    dest_version TEXT NOT NULL,
    src_version TEXT NOT NULL,
    files TEXT NOT NULL,
    single INTEGER NOT NULL,
    size INTEGER NOT NULL,
    sign TEXT NOT NULL,
    description TEXT NOT NULL,
    udi TEXT NOT NULL,
    status INTEGER NOT NULL,
    created INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    UNIQUE (account, name)
);
CREATE INDEX IF NOT EXISTS ota_packages_listed ON ota_packages (account, instance, product_key, created);
"""


class Status(IntEnum):
    """The verification status of a package; batches need NO_NEED or VERIFIED."""

    NO_NEED = -1
    UNVERIFIED = 0
    VERIFIED = 1
    VERIFYING = 2
    FAILED = 3


FULL, DELTA = 0, 1


@dataclass(frozen=True, slots=True)
class PackageFile:
    """One file of a package; `size` in bytes, `sign` and `md5` in lowercase hex."""

    name: str
    key: str
    size: int
    sign: str
    md5: str


def generate_ota_upload_url(call: Call) -> dict[str, Any]:
    """GenerateOTAUploadURL: an upload form for one file of at most 2,000 MB, valid for one minute."""
    suffix = call.params.get("FileSuffix") or "bin"
    form, data = _create_form(call, suffix, PACKAGE_LIMIT)
    return {"Data": {**data, "OSSAccessKeyId": form.key_id, "FirmwareUrl": f"{data['Host']}/{form.key}"}}


def generate_device_name_list_url(call: Call) -> dict[str, Any]:
    """GenerateDeviceNameListURL: an upload form for one CSV file of at most 5 MB, valid for one
    minute."""
    form, data = _create_form(call, "csv", DEVICE_LIST_LIMIT)
    return {"Data": {**data, "AccessKeyId": form.key_id, "FileUrl": f"{data['Host']}/{form.key}"}}


def create_ota_firmware(call: Call) -> dict[str, Any]:
    """CreateOTAFirmware: from one uploaded file (FirmwareUrl) or up to 20 files (MultiFiles).

    Sizes and signatures in the request are checked; missing ones are taken from the store.
    """
    params = call.params
    name, dest_version = params["FirmwareName"], params["DestVersion"]
    if not name.strip():
        raise ServiceError("iot.firmware.BlankFirmwareName", "The package name is empty.")
    if not NAME.fullmatch(name):
        raise ServiceError(
            "iot.firmware.IncorrectFormattedFirmwareName",
            "The package name is invalid. Use 1 to 40 characters: letters, digits, - _ ( )",
        )
    if not VERSION.fullmatch(dest_version):
        raise ServiceError(
            "iot.firmware.IncorrectFormattedFirmwareVersion",
            "The version is invalid. Use 1 to 64 characters: letters, digits, . _ -",
        )
    if len(params.get("FirmwareDesc", "")) > 100:
        raise ServiceError(
            "iot.firmware.FirmwareDescriptionExceedMaxLength",
            "The description is longer than 100 characters.",
        )
    if (params.get("SignMethod") or "MD5").upper() != "MD5":
        raise ServiceError(
            "iot.firmware.InvalidFirmwareSignMethod", "The signature method is not supported. Use MD5."
        )
    kind, src_version = _read_kind(params)
    product_key, module = _read_product_and_module(call)
    _check_unique(call, name, product_key, module, dest_version, src_version)
    files = _read_files(call)
    package_id = common.create_id()
    status = Status.UNVERIFIED if params.get("NeedToVerify", True) else Status.NO_NEED
    single = "FirmwareUrl" in params
    call.db.execute(
        "INSERT INTO ota_packages (id, account, instance, name, product_key, module, kind, dest_version, src_version, "
        "files, single, size, sign, description, udi, status, created, modified) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            package_id, call.account, call.instance, name, product_key, module, kind, dest_version, src_version,
            json.dumps([asdict(file) for file in files]), single, sum(file.size for file in files),
            files[0].sign if single else "", params.get("FirmwareDesc", ""), params.get("Udi", ""),
            status, call.now, call.now,
        ),
    )  # fmt: skip
    for file in files:
        objects.mark_object_used(call.db, file.key)
    objects.open_store(call.emulator).delete_unused(call.db, call.now)
    return {"Data": {"FirmwareId": package_id, "UtcCreate": format_utc(call.now)}}


def delete_ota_firmware(call: Call) -> dict[str, Any]:
    """DeleteOTAFirmware: refused while a batch of the package is planned or running."""
    package = common.find_package(call, call.params["FirmwareId"])
    open_batch = call.db.execute(
        "SELECT 1 FROM ota_batches WHERE package_id = ? AND status IN ('PLANNED', 'IN_PROGRESS') LIMIT 1",
        (package["id"],),
    ).fetchone()
    if open_batch:
        raise ServiceError(
            "iot.firmware.DeleteFirmwareFailure",
            "An update batch of the package is planned or running. Wait for its end, or cancel it.",
        )
    call.db.execute("DELETE FROM ota_packages WHERE id = ?", (package["id"],))
    store = objects.open_store(call.emulator)
    for file in parse_files(package):
        if not _is_used(call.db, file.key):
            store.delete(call.db, file.key)
    return {}


def list_ota_firmware(call: Call) -> dict[str, Any]:
    """ListOTAFirmware: newest first; optionally of one product and of one version."""
    where = ["account = ?", "instance = ?"]
    values: list[Any] = [call.account, call.instance]
    if call.params.get("ProductKey"):
        where.append("product_key = ?")
        values.append(find_product(call)["product_key"])
    if call.params.get("DestVersion"):
        where.append("dest_version = ?")
        values.append(call.params["DestVersion"])
    page = read_page(call)
    condition = " AND ".join(where)
    total = call.db.execute(f"SELECT count(*) FROM ota_packages WHERE {condition}", values).fetchone()[0]
    rows = call.db.execute(
        f"SELECT * FROM ota_packages WHERE {condition} ORDER BY created DESC, id LIMIT ? OFFSET ?",
        (*values, page.size, page.offset),
    ).fetchall()
    return {
        "FirmwareInfo": {"SimpleFirmwareInfo": [_package_info(call, row) for row in rows]},
        **common.write_paging(page, total),
    }


def query_ota_firmware(call: Call) -> dict[str, Any]:
    """QueryOTAFirmware: the details of one package, with download URLs of its files."""
    row = common.find_package(call, call.params["FirmwareId"])
    info = _package_info(call, row)
    files = parse_files(row)
    info["Udi"] = row["udi"]
    info["VerifyProgress"] = _calculate_verify_progress(call.db, row)
    if row["single"]:
        info["FirmwareUrl"] = _download_url(call, files[0])
    else:
        for field in ("FirmwareSign", "FirmwareSize"):
            del info[field]
        info["MultiFiles"] = [
            {
                "Name": f.name,
                "Size": f.size,
                "SignValue": f.sign,
                "FileMd5": f.md5,
                "Url": _download_url(call, f),
            }
            for f in files
        ]
    return {"FirmwareInfo": info}


def parse_files(package: sqlite3.Row) -> list[PackageFile]:
    """Read the files of a row of `ota_packages`."""
    return [PackageFile(**item) for item in json.loads(package["files"])]


def _create_form(call: Call, suffix: str, limit: int) -> tuple[objects.UploadForm, dict[str, Any]]:
    owner = hashlib.md5(call.account.encode(), usedforsecurity=False).hexdigest()
    key = f"ota/{owner}/{random_text(25).lower()}.{suffix}"
    form = objects.create_upload_form(call.db, key, call.now, limit)
    data = {
        "Host": objects.store_url(call.base_url),
        "Key": form.key,
        "Policy": form.policy,
        "Signature": form.signature,
        "ObjectStorage": "OSS",
        "UtcCreate": format_utc(call.now),
    }
    return form, data


def _read_kind(params: dict[str, Any]) -> tuple[int, str]:
    """Read the package type (full or delta) and the source version ("" for any)."""
    kind, src_version = params.get("Type", FULL), params.get("SrcVersion", "")
    if kind not in (FULL, DELTA):
        raise ServiceError(
            "iot.firmware.InvalidFirmwareType", "The package type is invalid. Use 0 (full) or 1 (delta)."
        )
    if kind == DELTA and not src_version:
        raise ServiceError(
            "iot.firmware.SrcVersionIsMandatory", "SrcVersion is required for a delta package."
        )
    if src_version and not VERSION.fullmatch(src_version):
        raise ServiceError(
            "iot.firmware.IncorrectFormattedSrcVersion",
            "The source version is invalid. Use 1 to 64 characters: letters, digits, . _ -",
        )
    if src_version and src_version == params["DestVersion"]:
        raise ServiceError(
            "iot.firmware.SrcDestVersionMatched", "SrcVersion and DestVersion must be different."
        )
    return kind, src_version


def _read_product_and_module(call: Call) -> tuple[str, str]:
    """Read the product ("" for a package without a product) and the module of a package."""
    product_key = find_product(call)["product_key"] if call.params.get("ProductKey") else ""
    module_name = call.params.get("ModuleName") or modules.DEFAULT
    if not modules.NAME.fullmatch(module_name):
        raise ServiceError(
            "iot.firmware.IncorrectFormattedModuleName",
            "The module name is invalid. Use 1 to 64 characters: letters, digits, . _ -",
        )
    if module_name.lower() == modules.DEFAULT:
        return product_key, modules.DEFAULT
    if not product_key:
        return product_key, module_name
    module = modules.find_module(call.db, product_key, module_name)
    if module is None:
        raise ServiceError("iot.ota.OTAModuleNotExist", "The product has no module with this name.")
    return product_key, module["name"]


def _check_unique(
    call: Call, name: str, product_key: str, module: str, dest_version: str, src_version: str
) -> None:
    """Check that the name is unique in the account, that the version is unique in the module for the same source version,
    and that the account has fewer than the maximum number of packages."""
    same_name = call.db.execute(
        "SELECT 1 FROM ota_packages WHERE account = ? AND name = ?", (call.account, name)
    )
    if same_name.fetchone():
        raise ServiceError(
            "iot.firmware.AlreadyExistedFirmwareName", "Another package already has this name."
        )
    same_version = call.db.execute(
        "SELECT 1 FROM ota_packages WHERE account = ? AND instance = ? AND product_key = ? AND module = ? "
        "AND dest_version = ? AND src_version = ? AND product_key <> ''",
        (call.account, call.instance, product_key, module, dest_version, src_version),
    )
    if same_version.fetchone():
        raise ServiceError(
            "iot.firmware.AlreadyExistedFirmwareVersion",
            "The product already has a package with this version.",
        )
    count = call.db.execute(
        "SELECT count(*) FROM ota_packages WHERE account = ?", (call.account,)
    ).fetchone()[0]
    if count >= PACKAGES_LIMIT:
        raise ServiceError(
            "iot.firmware.FirmwareCountExceedMax",
            f"The account already has {PACKAGES_LIMIT} packages, the maximum.",
        )


def _read_files(call: Call) -> list[PackageFile]:
    """Read the package's files. Each must be in the store and match the size and signatures in the request."""
    params = call.params
    multi_files: list[dict[str, Any]] = params.get("MultiFiles") or []
    if not multi_files:
        if not params.get("FirmwareUrl"):
            raise ServiceError("iot.firmware.NullFirmwareUrl", "FirmwareUrl or MultiFiles is required.")
        fields = (params["FirmwareUrl"], params.get("FirmwareSize"), params.get("FirmwareSign"), None)
        return [_read_file(call, "", *fields)]
    if any(params.get(name) for name in ("FirmwareUrl", "FirmwareSize", "FirmwareSign")):
        raise ServiceError(
            "iot.ota.PackageFileParamConflict", "Set either FirmwareUrl or MultiFiles, not both."
        )
    if len(multi_files) > FILES_LIMIT:
        raise ServiceError(
            "iot.ota.PackageFileAmountExceed", f"MultiFiles has more than {FILES_LIMIT} files."
        )
    for field, code in (
        ("Name", "NameDuplicated"),
        ("Url", "UrlDuplicated"),
        ("SignValue", "SignDuplicated"),
    ):
        values = [item[field] for item in multi_files if item.get(field)]
        if len(set(values)) < len(values):
            raise ServiceError(
                f"iot.ota.PackageFile{code}", f"Two files of the package have the same {field}."
            )
    files = []
    for item in multi_files:
        if not item.get("Name") or not item.get("Url"):
            raise ServiceError(
                "iot.firmware.InvalidFirmware", "Each file of the package must have a Name and a Url."
            )
        fields = (item["Url"], item.get("Size"), item.get("SignValue"), item.get("FileMd5"))
        files.append(_read_file(call, item["Name"], *fields))
    return files


def _read_file(
    call: Call, name: str, url: str, size: int | None, sign: str | None, md5: str | None
) -> PackageFile:
    if "://" not in url:
        raise ServiceError("iot.firmware.MalformedFirmwareUrl", "The URL of the package file is invalid.")
    key = objects.key_from_url(url)
    stored = objects.find_object(call.db, key) if key else None
    if stored is None:
        raise ServiceError("iot.firmware.InvalidFirmwareUrl", "No uploaded file has this URL.")
    if stored.created + CREATE_WINDOW_MS < call.now and not _is_used(call.db, stored.key):
        raise ServiceError(
            "iot.firmware.InvalidFirmwareUrl",
            "The uploaded file has expired after 60 minutes. Upload it again.",
        )
    if stored.size == 0:
        raise ServiceError("iot.firmware.EmptyFirmwareFile", "The package file is empty.")
    if size is not None and size != stored.size:
        raise ServiceError("iot.firmware.InvalidFirmwareSize", "The size does not match the uploaded file.")
    for value in (sign, md5):
        if value and value.lower() != stored.md5:
            raise ServiceError(
                "iot.firmware.InvalidFirmwareSign", "The signature does not match the uploaded file."
            )
    return PackageFile(name or stored.key.rsplit("/", 1)[-1], stored.key, stored.size, stored.md5, stored.md5)


def _is_used(db: sqlite3.Connection, key: str) -> bool:
    return (
        db.execute("SELECT 1 FROM ota_packages WHERE instr(files, ?) LIMIT 1", (json.dumps(key),)).fetchone()
        is not None
    )


def _download_url(call: Call, file: PackageFile) -> str:
    return objects.sign_url(call.db, call.base_url, file.key, call.now)


def _calculate_verify_progress(db: sqlite3.Connection, package: sqlite3.Row) -> int:
    """Calculate the percentage of finished tasks of the verification: 0 before it, 100 after success."""
    if package["status"] == Status.VERIFIED:
        return 100
    if package["status"] != Status.VERIFYING:
        return 0
    done, total = db.execute(
        "SELECT count(*) FILTER (WHERE NOT t.active), count(*) FROM ota_tasks t JOIN ota_batches b ON b.id = t.batch "
        "WHERE b.package_id = ? AND b.verify AND b.status = 'IN_PROGRESS'",
        (package["id"],),
    ).fetchone()
    return int(100 * done / total) if total else 0


def _package_info(call: Call, row: sqlite3.Row) -> dict[str, Any]:
    return {
        "FirmwareId": row["id"],
        "FirmwareName": row["name"],
        "FirmwareDesc": row["description"],
        "FirmwareSize": row["size"],
        "FirmwareSign": row["sign"],
        "SignMethod": "MD5",
        "Type": row["kind"],
        "Status": row["status"],
        "ModuleName": row["module"],
        "DestVersion": row["dest_version"],
        "SrcVersion": row["src_version"],
        "ProductKey": row["product_key"],
        "ProductName": common.find_product_name(call.db, row["product_key"]),
        "UtcCreate": format_utc(row["created"]),
        "UtcModified": format_utc(row["modified"]),
    }


OPERATIONS = {
    "GenerateOTAUploadURL": generate_ota_upload_url,
    "GenerateDeviceNameListURL": generate_device_name_list_url,
    "CreateOTAFirmware": create_ota_firmware,
    "DeleteOTAFirmware": delete_ota_firmware,
    "ListOTAFirmware": list_ota_firmware,
    "QueryOTAFirmware": query_ota_firmware,
}
