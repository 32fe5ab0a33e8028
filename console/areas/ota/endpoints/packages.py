"""Update packages, and the modules of a product that packages update."""

from __future__ import annotations

from django.http import Http404
from django.utils.translation import gettext_noop
from ninja import File, Form, Query, Router, Schema, Status
from ninja.files import UploadedFile
from pydantic import ConfigDict, Field

from console.api.http import ApiRequest, open_gateway
from console.api.problems import validation_problem
from console.api.schema_errors import describe_unknown_field
from console.api.schemas import Page, PagePosition, PageQuery, RequestBody, Timestamp
from console.areas.ota import api
from console.areas.ota.forms.packages import ModuleForm, NewModuleForm, PackageForm, find_file_suffix

router = Router(tags=[gettext_noop("Updates")])
_VERIFICATIONS = {
    "-1": "not_required",
    "0": "unverified",
    "1": "verified",
    "2": "verifying",
    "3": "failed",
}
# Fields of the form that have another name in the API.
_FIELD_NAMES = {"product": "product_key", "udi": "message", "kind": "delta"}


class Package(Schema):
    """An update package."""

    id: str
    name: str
    version: str
    product_key: str
    product_name: str
    module: str
    delta: bool = Field(description="Whether the package updates from one source version only.")
    source_version: str
    verification: str = Field(description="not_required, unverified, verified, verifying or failed.")
    size: int | None = Field(description="Size in bytes.")
    description: str
    created_at: Timestamp | None

    @classmethod
    def from_package(cls, package: api.Package) -> Package:
        return cls(
            id=package.id,
            name=package.name,
            version=package.version,
            product_key=package.product_key,
            product_name=package.product_name,
            module=package.module,
            delta=package.delta,
            source_version=package.source_version,
            verification=_VERIFICATIONS.get(package.status, package.status),
            size=package.size,
            description=package.description,
            created_at=package.created,
        )


class PackageDetail(Package):
    """An update package with its checksum and its message to devices."""

    ready: bool = Field(description="Whether you can create batches of the package.")
    verification_progress: int = Field(description="0 to 100 percent.")
    checksum: str
    checksum_method: str
    message: str
    modified_at: Timestamp | None


class NewPackage(RequestBody):
    """The form fields of a new package, besides its file."""

    model_config = ConfigDict(strict=False)  # a form has texts only

    product_key: str = Field(max_length=64)
    name: str = Field(
        min_length=1,
        max_length=40,
        description=gettext_noop(
            "Up to 40 letters, digits, hyphens, underscores and parentheses. Unique in the account. Cannot be changed later."
        ),
    )
    version: str = Field(
        min_length=1,
        max_length=64,
        description=gettext_noop("Version that devices report after the update."),
    )
    module: str = Field(
        "",
        max_length=64,
        description=gettext_noop("Leave empty for the module `default`, the entire firmware."),
    )
    delta: bool = Field(
        False, description=gettext_noop("Whether the file contains only the changes since `source_version`.")
    )
    source_version: str = Field(
        "",
        max_length=64,
        description=gettext_noop(
            "Only for delta packages: the version that devices must run before the update."
        ),
    )
    description: str = Field("", max_length=100, description=gettext_noop("Up to 100 characters."))
    verify: bool = Field(
        True,
        description=gettext_noop("Whether the package must be verified on a few devices before batches."),
    )
    message: str = Field(
        "", max_length=4096, description=gettext_noop("Text that devices receive with the update.")
    )


class CreatedPackage(Schema):
    """The new package."""

    package_id: str


class PackageListQuery(PageQuery):
    """Selects packages."""

    product_key: str = Field("", max_length=64)
    version: str = Field("", max_length=64)


class Module(Schema):
    """A part of a product's firmware that can be updated separately."""

    product_key: str
    name: str
    alias: str
    description: str
    default: bool = Field(
        description="Whether this is the entire firmware. Every product has this module; it cannot be changed."
    )
    created_at: Timestamp | None
    modified_at: Timestamp | None


class CreatedModule(Schema):
    """The new module."""

    product_key: str
    name: str


class ModuleChange(RequestBody):
    """New values of a module. Both fields are written."""

    alias: str = Field(
        "",
        max_length=64,
        description=gettext_noop("Up to 64 characters. Once set, it can be changed but not removed."),
    )
    description: str = Field("", max_length=100, description=gettext_noop("Up to 100 characters."))


class NewModule(ModuleChange):
    """A module to create."""

    name: str = Field(
        min_length=1,
        max_length=64,
        description=gettext_noop("Unique in the product, not case-sensitive. Cannot be changed later."),
    )


def check_package_upload(request: ApiRequest, connection: str) -> None:
    """Raise PermissionRefused if the token may not create packages."""
    open_gateway(request, connection).require(api.UPLOAD, api.CREATE_PACKAGE)


@router.get(
    "/{slug:connection}/ota/packages",
    response=Page[Package],
    description=gettext_noop("List update packages, newest first."),
)
def list_packages(request: ApiRequest, connection: str, query: Query[PackageListQuery]) -> Page[Package]:
    position = PagePosition.from_query(query)
    page = api.list_packages(
        open_gateway(request, connection),
        product_key=query.product_key,
        version=query.version,
        page=position.number,
        size=position.size,
    )
    return position.build_page(map(Package.from_package, page.packages), page.total)


@router.post(
    "/{slug:connection}/ota/packages",
    response={201: CreatedPackage},
    description=gettext_noop(
        "Upload a file of up to 2,000 MB and create an update package. Accepted file types: .bin, .dav, .apk, .tar,"
        " .gz, .tar.gz, .zip and .gzip."
    ),
)
def create_package(
    request: ApiRequest, connection: str, body: Form[NewPackage], file: File[UploadedFile]
) -> Status[CreatedPackage]:
    gateway = open_gateway(request, connection)
    if (
        unknown := request.POST.keys() - NewPackage.model_fields.keys()
    ):  # ninja does not check forms for unknown fields
        text = describe_unknown_field([*NewPackage.model_fields, "file"])
        raise validation_problem((name, text) for name in sorted(unknown))
    values = {
        **body.model_dump(exclude={"product_key", "message", "delta"}),
        "product": body.product_key,
        "udi": body.message,
        "kind": "delta" if body.delta else "full",
    }
    form = PackageForm(values, {"file": file}, products=[(body.product_key, body.product_key)])
    _check(form)
    # Checked before the upload: a product outside the access scope must not cost storage.
    gateway.require_in_scope(api.CREATE_PACKAGE, ProductKey=body.product_key)
    package_id = api.create_package(gateway, form.build_package(), file, find_file_suffix(file.name or ""))
    return Status(201, CreatedPackage(package_id=package_id))


@router.get(
    "/{slug:connection}/ota/packages/{package_id}",
    response=PackageDetail,
    description=gettext_noop("Get an update package."),
)
def get_package(request: ApiRequest, connection: str, package_id: str) -> PackageDetail:
    package = api.get_package(open_gateway(request, connection), package_id)
    return PackageDetail(
        **Package.from_package(package).model_dump(),
        ready=package.is_ready,
        verification_progress=package.verify_progress,
        checksum=package.sign,
        checksum_method=package.sign_method,
        message=package.udi,
        modified_at=package.modified,
    )


@router.delete(
    "/{slug:connection}/ota/packages/{package_id}",
    response={204: None},
    description=gettext_noop(
        "Delete an update package and its file. Devices keep their version. Not possible while a batch of the package is"
        " planned or in progress."
    ),
)
def delete_package(request: ApiRequest, connection: str, package_id: str) -> Status[None]:
    gateway = open_gateway(request, connection)
    gateway.require(api.DELETE_PACKAGE)
    api.delete_package(gateway, package_id, name=api.get_package(gateway, package_id).name)
    return Status(204, None)


@router.get(
    "/{slug:connection}/products/{product_key}/modules",
    response=list[Module],
    description=gettext_noop("List the modules of a product, including the default module. At most 11."),
)
def list_modules(request: ApiRequest, connection: str, product_key: str) -> list[Module]:
    return [
        Module(
            product_key=module.product_key,
            name=module.name,
            alias=module.alias,
            description=module.description,
            default=module.is_default,
            created_at=module.created,
            modified_at=module.modified,
        )
        for module in api.list_modules(open_gateway(request, connection), product_key)
    ]


@router.post(
    "/{slug:connection}/products/{product_key}/modules",
    response={201: CreatedModule},
    description=gettext_noop("Create a module. A product can have up to 10 modules besides the default one."),
)
def create_module(
    request: ApiRequest, connection: str, product_key: str, body: NewModule
) -> Status[CreatedModule]:
    gateway = open_gateway(request, connection)
    _check(NewModuleForm(body.model_dump()))
    api.create_module(gateway, product_key, body.name, alias=body.alias, description=body.description)
    return Status(201, CreatedModule(product_key=product_key, name=body.name))


@router.patch(
    "/{slug:connection}/products/{product_key}/modules/{module_name}",
    response={204: None},
    description=gettext_noop("Edit the alias and description of a module."),
)
def edit_module(
    request: ApiRequest, connection: str, product_key: str, module_name: str, body: ModuleChange
) -> Status[None]:
    gateway = open_gateway(request, connection)
    gateway.require(api.UPDATE_MODULE)
    module = api.get_module(gateway, product_key, module_name)
    if module.is_default:
        raise Http404
    _check(ModuleForm(body.model_dump(), module))
    api.update_module(gateway, product_key, module_name, alias=body.alias, description=body.description)
    return Status(204, None)


@router.delete(
    "/{slug:connection}/products/{product_key}/modules/{module_name}",
    response={204: None},
    description=gettext_noop("Delete a module. Not possible while it has packages."),
)
def delete_module(request: ApiRequest, connection: str, product_key: str, module_name: str) -> Status[None]:
    api.delete_module(open_gateway(request, connection), product_key, module_name)
    return Status(204, None)


def _check(form: PackageForm | ModuleForm) -> None:
    """Check values with the form of the console's page. Raises Problem."""
    if not form.is_valid():
        raise validation_problem(
            (_FIELD_NAMES.get(field, field), str(text))
            for field, texts in form.errors.items()
            for text in texts
        )
