"""Update packages: uploading their files, making them of uploaded files, listing and deleting them."""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
from dataclasses import asdict, dataclass
from enum import IntEnum
from typing import Any

from console.emulator import objects
from console.emulator.call import Call
from console.emulator.errors import ServiceError
from console.emulator.formats import format_utc, random_text
from console.emulator.lookups import find_product
from console.emulator.ota import common, modules
from console.emulator.paging import read_page

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
    """Where a package is on its way to being allowed in batches."""

    NO_NEED = -1
    UNVERIFIED = 0
    VERIFIED = 1
    VERIFYING = 2
    FAILED = 3


FULL, DELTA = 0, 1


@dataclass(frozen=True, slots=True)
class PackageFile:
    """One file of a package; `size` in bytes, `sign` and `md5` in lower-case hex."""

    name: str
    key: str
    size: int
    sign: str
    md5: str


def generate_ota_upload_url(call: Call) -> dict[str, Any]:
    """GenerateOTAUploadURL: a form for one file of at most 2,000 MB, within a minute."""
    suffix = call.params.get("FileSuffix") or "bin"
    form, data = _form(call, suffix, PACKAGE_LIMIT)
    return {"Data": {**data, "OSSAccessKeyId": form.key_id, "FirmwareUrl": f"{data['Host']}/{form.key}"}}


def generate_device_name_list_url(call: Call) -> dict[str, Any]:
    """GenerateDeviceNameListURL: a form for one CSV of at most 5 MB, within a minute."""
    form, data = _form(call, "csv", DEVICE_LIST_LIMIT)
    return {"Data": {**data, "AccessKeyId": form.key_id, "FileUrl": f"{data['Host']}/{form.key}"}}


def create_ota_firmware(call: Call) -> dict[str, Any]:
    """CreateOTAFirmware: of one uploaded file (FirmwareUrl) or of up to 20 (MultiFiles).

    Sizes and signatures are checked where given, taken from the store where not.
    """
    params = call.params
    name, dest_version = params["FirmwareName"], params["DestVersion"]
    if not name.strip():
        raise ServiceError("iot.firmware.BlankFirmwareName", "The package name is blank.")
    if not NAME.fullmatch(name):
        raise ServiceError(
            "iot.firmware.IncorrectFormattedFirmwareName", "The format of the package name is invalid."
        )
    if not VERSION.fullmatch(dest_version):
        raise ServiceError(
            "iot.firmware.IncorrectFormattedFirmwareVersion", "The format of the version is invalid."
        )
    if len(params.get("FirmwareDesc", "")) > 100:
        raise ServiceError("iot.firmware.FirmwareDescriptionExceedMaxLength", "The description is too long.")
    if (params.get("SignMethod") or "MD5").upper() != "MD5":
        raise ServiceError("iot.firmware.InvalidFirmwareSignMethod", "The signature method is not supported.")
    kind, src_version = _kind(params)
    product_key, module = _place(call)
    _check_free(call, name, product_key, module, dest_version, src_version)
    files = _files(call)
    package_id = common.new_id()
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
        objects.keep_object(call.db, file.key)
    objects.open_store(call.emulator).delete_unclaimed(call.db, call.now)
    return {"Data": {"FirmwareId": package_id, "UtcCreate": format_utc(call.now)}}


def delete_ota_firmware(call: Call) -> dict[str, Any]:
    """DeleteOTAFirmware: refused while a batch of it is planned or running."""
    package = common.package(call, call.params["FirmwareId"])
    running = call.db.execute(
        "SELECT 1 FROM ota_jobs WHERE package_id = ? AND status IN ('PLANNED', 'IN_PROGRESS') LIMIT 1",
        (package["id"],),
    ).fetchone()
    if running:
        raise ServiceError(
            "iot.firmware.DeleteFirmwareFailure", "The package is in an update batch that is not over."
        )
    call.db.execute("DELETE FROM ota_packages WHERE id = ?", (package["id"],))
    store = objects.open_store(call.emulator)
    for file in files_of(package):
        if not _used(call.db, file.key):
            store.delete(call.db, file.key)
    return {}


def list_ota_firmware(call: Call) -> dict[str, Any]:
    """ListOTAFirmware: newest first, of one product and of one version when told."""
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
        "FirmwareInfo": {"SimpleFirmwareInfo": [_shown(call, row) for row in rows]},
        **common.paging(page, total),
    }


def query_ota_firmware(call: Call) -> dict[str, Any]:
    """QueryOTAFirmware: all of one package, with addresses to download its files."""
    row = common.package(call, call.params["FirmwareId"])
    info = _shown(call, row)
    files = files_of(row)
    info["Udi"] = row["udi"]
    info["VerifyProgress"] = _verify_progress(call.db, row)
    if row["single"]:
        info["FirmwareUrl"] = _address(call, files[0])
    else:
        for field in ("FirmwareSign", "FirmwareSize"):
            del info[field]
        info["MultiFiles"] = [
            {"Name": f.name, "Size": f.size, "SignValue": f.sign, "FileMd5": f.md5, "Url": _address(call, f)}
            for f in files
        ]
    return {"FirmwareInfo": info}


def files_of(package: sqlite3.Row) -> list[PackageFile]:
    """The files of a row of `ota_packages`."""
    return [PackageFile(**item) for item in json.loads(package["files"])]


def _form(call: Call, suffix: str, limit: int) -> tuple[objects.UploadForm, dict[str, Any]]:
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


def _kind(params: dict[str, Any]) -> tuple[int, str]:
    """Full or delta, and the version it starts from ("" when any)."""
    kind, src_version = params.get("Type", FULL), params.get("SrcVersion", "")
    if kind not in (FULL, DELTA):
        raise ServiceError("iot.firmware.InvalidFirmwareType", "The package type is invalid.")
    if kind == DELTA and not src_version:
        raise ServiceError("iot.firmware.SrcVersionIsMandatory", "A delta package needs a source version.")
    if src_version and not VERSION.fullmatch(src_version):
        raise ServiceError(
            "iot.firmware.IncorrectFormattedSrcVersion", "The format of the source version is invalid."
        )
    if src_version and src_version == params["DestVersion"]:
        raise ServiceError(
            "iot.firmware.SrcDestVersionMatched", "The source and destination versions are the same."
        )
    return kind, src_version


def _place(call: Call) -> tuple[str, str]:
    """The product ("" for a package of no product) and the module that a package is for."""
    product_key = find_product(call)["product_key"] if call.params.get("ProductKey") else ""
    wanted = call.params.get("ModuleName") or modules.DEFAULT
    if not modules.NAME.fullmatch(wanted):
        raise ServiceError(
            "iot.firmware.IncorrectFormattedModuleName", "The format of the module name is invalid."
        )
    if wanted.lower() == modules.DEFAULT:
        return product_key, modules.DEFAULT
    if not product_key:
        return product_key, wanted
    module = modules.find(call.db, product_key, wanted)
    if module is None:
        raise ServiceError("iot.ota.OTAModuleNotExist", "The product has no module of this name.")
    return product_key, module["name"]


def _check_free(
    call: Call, name: str, product_key: str, module: str, dest_version: str, src_version: str
) -> None:
    """The name is the account's only one, the version the module's only one (from one source), and there is room."""
    taken = call.db.execute("SELECT 1 FROM ota_packages WHERE account = ? AND name = ?", (call.account, name))
    if taken.fetchone():
        raise ServiceError("iot.firmware.AlreadyExistedFirmwareName", "The package name is already used.")
    same = call.db.execute(
        "SELECT 1 FROM ota_packages WHERE account = ? AND instance = ? AND product_key = ? AND module = ? "
        "AND dest_version = ? AND src_version = ? AND product_key <> ''",
        (call.account, call.instance, product_key, module, dest_version, src_version),
    )
    if same.fetchone():
        raise ServiceError(
            "iot.firmware.AlreadyExistedFirmwareVersion", "The product already has this version."
        )
    count = call.db.execute(
        "SELECT count(*) FROM ota_packages WHERE account = ?", (call.account,)
    ).fetchone()[0]
    if count >= PACKAGES_LIMIT:
        raise ServiceError(
            "iot.firmware.FirmwareCountExceedMax", f"An account has at most {PACKAGES_LIMIT} packages."
        )


def _files(call: Call) -> list[PackageFile]:
    """The package's files, each found in the store and equal to what is said of it."""
    params = call.params
    several: list[dict[str, Any]] = params.get("MultiFiles") or []
    if not several:
        if not params.get("FirmwareUrl"):
            raise ServiceError("iot.firmware.NullFirmwareUrl", "The address of the package file is missing.")
        given = (params["FirmwareUrl"], params.get("FirmwareSize"), params.get("FirmwareSign"), None)
        return [_file(call, "", *given)]
    if any(params.get(name) for name in ("FirmwareUrl", "FirmwareSize", "FirmwareSign")):
        raise ServiceError("iot.ota.PackageFileParamConflict", "Give one file or several, not both.")
    if len(several) > FILES_LIMIT:
        raise ServiceError("iot.ota.PackageFileAmountExceed", f"A package has at most {FILES_LIMIT} files.")
    for field, code in (
        ("Name", "NameDuplicated"),
        ("Url", "UrlDuplicated"),
        ("SignValue", "SignDuplicated"),
    ):
        values = [item[field] for item in several if item.get(field)]
        if len(set(values)) < len(values):
            raise ServiceError(
                f"iot.ota.PackageFile{code}", f"Two files of the package have the same {field}."
            )
    files = []
    for item in several:
        if not item.get("Name") or not item.get("Url"):
            raise ServiceError(
                "iot.firmware.InvalidFirmware", "Each file of the package needs a name and an address."
            )
        given = (item["Url"], item.get("Size"), item.get("SignValue"), item.get("FileMd5"))
        files.append(_file(call, item["Name"], *given))
    return files


def _file(
    call: Call, name: str, url: str, size: int | None, sign: str | None, md5: str | None
) -> PackageFile:
    if "://" not in url:
        raise ServiceError(
            "iot.firmware.MalformedFirmwareUrl", "The address of the package file is malformed."
        )
    key = objects.key_from_url(url)
    found = objects.find_object(call.db, key) if key else None
    if found is None:
        raise ServiceError("iot.firmware.InvalidFirmwareUrl", "There is no uploaded file at this address.")
    if found.created + CREATE_WINDOW_MS < call.now and not _used(call.db, found.key):
        raise ServiceError(
            "iot.firmware.InvalidFirmwareUrl", "The uploaded file was not used within 60 minutes."
        )
    if found.size == 0:
        raise ServiceError("iot.firmware.EmptyFirmwareFile", "The package file is empty.")
    if size is not None and size != found.size:
        raise ServiceError("iot.firmware.InvalidFirmwareSize", "The size is not that of the uploaded file.")
    for value in (sign, md5):
        if value and value.lower() != found.md5:
            raise ServiceError(
                "iot.firmware.InvalidFirmwareSign", "The signature is not that of the uploaded file."
            )
    return PackageFile(name or found.key.rsplit("/", 1)[-1], found.key, found.size, found.md5, found.md5)


def _used(db: sqlite3.Connection, key: str) -> bool:
    return (
        db.execute("SELECT 1 FROM ota_packages WHERE instr(files, ?) LIMIT 1", (json.dumps(key),)).fetchone()
        is not None
    )


def _address(call: Call, file: PackageFile) -> str:
    return objects.sign_url(call.db, call.base_url, file.key, call.now)


def _verify_progress(db: sqlite3.Connection, package: sqlite3.Row) -> int:
    """0 before, 100 after, and in between the part of the verifying devices that are done."""
    if package["status"] == Status.VERIFIED:
        return 100
    if package["status"] != Status.VERIFYING:
        return 0
    done, total = db.execute(
        "SELECT count(*) FILTER (WHERE NOT t.active), count(*) FROM ota_tasks t JOIN ota_jobs j ON j.id = t.job "
        "WHERE j.package_id = ? AND j.verify AND j.status = 'IN_PROGRESS'",
        (package["id"],),
    ).fetchone()
    return int(100 * done / total) if total else 0


def _shown(call: Call, row: sqlite3.Row) -> dict[str, Any]:
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
        "ProductName": common.product_name(call.db, row["product_key"]),
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
