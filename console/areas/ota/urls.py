from django.urls import path
from django.views.decorators.http import require_safe

from console.areas.ota.actions import BULK, CREATE_MODULE
from console.areas.ota.pages import BATCH, LIST, MODULE, PACKAGE
from console.areas.ota.views import batch, batch_list, choose, create, modules, packages, verify
from console.pages.bulk_views import bulk_path

app_name = "ota"
urlpatterns = [
    path("packages/", require_safe(LIST.show), name="packages"),
    path("packages/new/", packages.create_package, name="create-package"),
    path("packages/<id:package_id>/", packages.package_detail, name="package"),
    path("packages/<id:package_id>/batch/", create.create_static_batch, name="create-batch"),
    path("packages/<id:package_id>/dynamic/", create.create_dynamic_batch, name="create-dynamic-batch"),
    path("packages/<id:package_id>/verify/", verify.verify_package, name="verify"),
    *PACKAGE.paths("packages/<id:package_id>/"),
    path("group-options/", create.group_options, name="group-options"),
    path("modules/", modules.module_list, name="modules"),
    path("modules/options/", modules.module_options, name="module-options"),
    path("modules/<id:product_key>/new/", CREATE_MODULE.show, name="create-module"),
    *MODULE.paths("modules/<id:product_key>/<id:name>/"),
    path("batches/", batch_list.batch_list, name="batches"),
    path("batches/progress/", batch_list.batch_progress, name="batch-progress"),
    path("batches/new/", choose.choose_package, name="choose-package"),
    path("batches/<id:batch_id>/", batch.batch_detail, name="batch"),
    path("batches/<id:batch_id>/live/", batch.batch_live, name="batch-live"),
    path("batches/<id:batch_id>/counts/", batch.batch_counts, name="batch-counts"),
    path("batches/<id:batch_id>/history.json", batch.batch_history, name="batch-history"),
    bulk_path(BULK),
    *BATCH.paths("batches/<id:batch_id>/"),
]
