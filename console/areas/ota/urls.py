from django.urls import path

from console.areas.ota.views import batch, create, modules, packages

app_name = "ota"
urlpatterns = [
    path("packages/", packages.package_list, name="packages"),
    path("packages/new/", packages.create_package, name="create-package"),
    path("packages/<str:package_id>/", packages.package_detail, name="package"),
    path("packages/<str:package_id>/delete/", packages.delete_package, name="delete-package"),
    path("packages/<str:package_id>/batch/", create.create_static_batch, name="create-batch"),
    path("packages/<str:package_id>/dynamic/", create.create_dynamic_batch, name="create-dynamic-batch"),
    path("packages/<str:package_id>/verify/", create.verify_package, name="verify"),
    path("group-options/", create.group_options, name="group-options"),
    path("modules/", modules.module_list, name="modules"),
    path("modules/options/", modules.module_options, name="module-options"),
    path("modules/<str:product_key>/new/", modules.create_module, name="create-module"),
    path("modules/<str:product_key>/<str:name>/edit/", modules.edit_module, name="edit-module"),
    path("modules/<str:product_key>/<str:name>/delete/", modules.delete_module, name="delete-module"),
    path("batches/", batch.batch_list, name="batches"),
    path("batches/<str:batch_id>/", batch.batch_detail, name="batch"),
    path("batches/<str:batch_id>/live/", batch.batch_live, name="batch-live"),
    path("batches/<str:batch_id>/counts/", batch.batch_counts, name="batch-counts"),
    path("batches/<str:batch_id>/history.json", batch.batch_history, name="batch-history"),
    path("batches/<str:batch_id>/monitor/", batch.monitor_batch, name="monitor-batch"),
    path("batches/<str:batch_id>/cancel/", batch.cancel_batch, name="cancel-batch"),
    path("batches/<str:batch_id>/stop/", batch.stop_batch, name="stop-batch"),
    path("batches/<str:batch_id>/cancel-devices/", batch.cancel_devices, name="cancel-devices"),
    path("batches/<str:batch_id>/confirm/", batch.confirm_tasks, name="confirm-tasks"),
]
