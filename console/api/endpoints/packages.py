"""Update packages, and the modules of a product that they are for."""

from __future__ import annotations

from django.http import Http404
from django.utils.translation import gettext as _
from ninja import File, Form, Query, Router, Schema, Status
from ninja.files import UploadedFile
from pydantic import Field

from console.api.http import ApiRequest, gateway_of
from console.api.problems import not_valid
from console.api.schemas import Body, Listing, Moment, Page, Place
from console.ota import api
from console.ota.forms import ModuleForm, NewModuleForm, PackageForm, find_file_suffix

router = Router(tags=["Updates"])
_STATES = {"-1": "unneeded", "0": "unverified", "1": "verified", "2": "verifying", "3": "failed"}
# Fields of the form that have another name here.
_NAMES = {"product": "product_key", "udi": "message", "kind": "delta"}


class Package(Schema):
    """An update package."""

    id: str
    name: str
    version: str
    product_key: str
    product_name: str
    module: str
    delta: bool = Field(description="Whether it updates from one version only.")
    source_version: str
    verification: str = Field(description="unneeded, unverified, verified, verifying or failed.")
    size: int | None = Field(description="Bytes.")
    description: str
    created_at: Moment | None

    @classmethod
    def of(cls, package: api.Package) -> Package:
        return cls(
            id=package.id,
            name=package.name,
            version=package.version,
            product_key=package.product_key,
            product_name=package.product_name,
            module=package.module,
            delta=package.delta,
            source_version=package.source_version,
            verification=_STATES.get(package.status, package.status),
            size=package.size,
            description=package.description,
            created_at=package.created,
        )


class PackageDetail(Package):
    """An update package with its checksum and what devices are told."""

    ready: bool = Field(description="Whether batches can be made of it.")
    verification_progress: int = Field(description="Per cent.")
    checksum: str
    checksum_method: str
    message: str
    modified_at: Moment | None


class NewPackage(Body):
    """A package to make, beside its file."""

    product_key: str = Field(max_length=64)
    name: str = Field(description="Unique in the account. It cannot be changed later. At most 40 characters.")
    version: str = Field(description="What devices report once they run this package.")
    module: str = Field("", max_length=64, description="Empty: default, the whole firmware.")
    delta: bool = Field(False, description="Whether it holds only what changed since `source_version`.")
    source_version: str = Field("", description="Only devices that run this version can take it.")
    description: str = Field("", description="At most 100 characters.")
    verify: bool = Field(True, description="Whether it must first succeed on a few devices.")
    message: str = Field("", description="Any text that devices get with the notification.")


class PackageId(Schema):
    """What was made."""

    package_id: str


class PackageListing(Listing):
    """Which packages."""

    product_key: str = Field("", max_length=64)
    version: str = Field("", max_length=64)


class Module(Schema):
    """A part of a product's firmware that is updated apart from the rest."""

    product_key: str
    name: str
    alias: str
    description: str
    default: bool = Field(description="The whole firmware: every product has it, and it cannot be changed.")
    created_at: Moment | None
    modified_at: Moment | None


class ModuleName(Schema):
    """What was made."""

    product_key: str
    name: str


class ModuleChange(Body):
    """Both are written."""

    alias: str = Field("", description="Once set it can be changed, not removed. At most 64 characters.")
    description: str = Field("", description="At most 100 characters.")


class NewModule(ModuleChange):
    """A module to make."""

    name: str = Field(
        description="Unique in the product, whatever the case of its letters. It cannot be changed later."
    )


def demand_upload(request: ApiRequest, connection: str) -> None:
    """Refuse who may make no packages. Raises PermissionRefused."""
    gateway_of(request, connection).require(api.UPLOAD, api.CREATE_PACKAGE)


@router.get("/{slug:connection}/ota/packages", response=Page[Package])
def list_packages(request: ApiRequest, connection: str, listing: Query[PackageListing]) -> Page[Package]:
    """List update packages, newest first."""
    place = Place.of(listing)
    found = api.list_packages(
        gateway_of(request, connection),
        product_key=listing.product_key,
        version=listing.version,
        page=place.number,
        size=place.size,
    )
    return place.page(map(Package.of, found.packages), found.total)


@router.post("/{slug:connection}/ota/packages", response={201: PackageId})
def create_package(
    request: ApiRequest, connection: str, body: Form[NewPackage], file: File[UploadedFile]
) -> Status[PackageId]:
    """Bring a file of at most 2,000 MB to the platform's store and make an update package of it.

    Its name ends in .bin, .dav, .apk, .tar, .gz, .tar.gz, .zip or .gzip.
    """
    gateway = gateway_of(request, connection)
    if (
        unknown := request.POST.keys() - NewPackage.model_fields.keys()
    ):  # forms are not held against the schema
        raise not_valid((name, _("There is no such field.")) for name in sorted(unknown))
    sent = {
        **body.model_dump(exclude={"product_key", "message", "delta"}),
        "product": body.product_key,
        "udi": body.message,
        "kind": "delta" if body.delta else "full",
    }
    form = PackageForm(sent, {"file": file}, products=[(body.product_key, body.product_key)])
    _check(form)
    # What the token does not allow, it does not fill the store for.
    gateway.require_in_scope(api.CREATE_PACKAGE, ProductKey=body.product_key)
    package_id = api.create_package(gateway, form.build_package(), file, find_file_suffix(file.name or ""))
    return Status(201, PackageId(package_id=package_id))


@router.get("/{slug:connection}/ota/packages/{package_id}", response=PackageDetail)
def get_package(request: ApiRequest, connection: str, package_id: str) -> PackageDetail:
    """Tell of one package."""
    found = api.get_package(gateway_of(request, connection), package_id)
    return PackageDetail(
        **Package.of(found).model_dump(),
        ready=found.ready,
        verification_progress=found.verify_progress,
        checksum=found.sign,
        checksum_method=found.sign_method,
        message=found.udi,
        modified_at=found.modified,
    )


@router.delete("/{slug:connection}/ota/packages/{package_id}", response={204: None})
def delete_package(request: ApiRequest, connection: str, package_id: str) -> Status[None]:
    """Delete a package with its file; devices keep what they run. Refused while a batch of it is planned or running."""
    gateway = gateway_of(request, connection)
    gateway.require(api.DELETE_PACKAGE)
    api.delete_package(gateway, package_id, name=api.get_package(gateway, package_id).name)
    return Status(204, None)


@router.get("/{slug:connection}/products/{product_key}/modules", response=list[Module])
def list_modules(request: ApiRequest, connection: str, product_key: str) -> list[Module]:
    """List the modules of a product, the default one included: eleven at most."""
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
        for module in api.list_modules(gateway_of(request, connection), product_key)
    ]


@router.post("/{slug:connection}/products/{product_key}/modules", response={201: ModuleName})
def create_module(
    request: ApiRequest, connection: str, product_key: str, body: NewModule
) -> Status[ModuleName]:
    """Make a module; a product has ten of its own at most."""
    gateway = gateway_of(request, connection)
    _check(NewModuleForm(body.model_dump()))
    api.create_module(gateway, product_key, body.name, alias=body.alias, description=body.description)
    return Status(201, ModuleName(product_key=product_key, name=body.name))


@router.patch("/{slug:connection}/products/{product_key}/modules/{name}", response={204: None})
def edit_module(
    request: ApiRequest, connection: str, product_key: str, name: str, body: ModuleChange
) -> Status[None]:
    """Give a module another alias and description."""
    gateway = gateway_of(request, connection)
    gateway.require(api.UPDATE_MODULE)
    module = api.find_own_module(gateway, product_key, name)
    if module is None:
        raise Http404
    _check(ModuleForm(body.model_dump()))
    if module.alias and not body.alias:
        raise not_valid([("alias", _("An alias can be changed, but the platform cannot take it away."))])
    api.update_module(gateway, product_key, name, alias=body.alias, description=body.description)
    return Status(204, None)


@router.delete("/{slug:connection}/products/{product_key}/modules/{name}", response={204: None})
def delete_module(request: ApiRequest, connection: str, product_key: str, name: str) -> Status[None]:
    """Delete a module. Refused while it has packages."""
    api.delete_module(gateway_of(request, connection), product_key, name)
    return Status(204, None)


def _check(form: PackageForm | ModuleForm) -> None:
    """Hold what was sent against the rules of the page's form. Raises Problem."""
    if not form.is_valid():
        raise not_valid(
            (_NAMES.get(field, field), str(text)) for field, texts in form.errors.items() for text in texts
        )
