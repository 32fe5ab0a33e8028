from django.urls import path

from console.ota.views import batch, create, modules, packages

app_name = "ota"
urlpatterns = [
    path("packages/", packages.package_list, name="packages"),
    path("packages/new/", packages.create_package, name="create-package"),
    path("packages/<str:package_id>/", packages.package, name="package"),
    path("packages/<str:package_id>/delete/", packages.delete_package, name="delete-package"),
    path("packages/<str:package_id>/batch/", create.static_batch, name="create-batch"),
    path("packages/<str:package_id>/dynamic/", create.dynamic_batch, name="create-dynamic"),
    path("packages/<str:package_id>/verify/", create.verify, name="verify"),
    path("group-options/", create.group_options, name="group-options"),
    path("modules/", modules.module_list, name="modules"),
    path("modules/options/", modules.module_options, name="module-options"),
    path("modules/<str:product_key>/new/", modules.create_module, name="create-module"),
    path("modules/<str:product_key>/<str:name>/edit/", modules.edit_module, name="edit-module"),
    path("modules/<str:product_key>/<str:name>/delete/", modules.delete_module, name="delete-module"),
    path("batches/", batch.job_list, name="jobs"),
    path("batches/<str:job_id>/", batch.job, name="job"),
    path("batches/<str:job_id>/live/", batch.live, name="job-live"),
    path("batches/<str:job_id>/counts/", batch.counts, name="job-counts"),
    path("batches/<str:job_id>/history.json", batch.history, name="job-history"),
    path("batches/<str:job_id>/watch/", batch.watch, name="watch-job"),
    path("batches/<str:job_id>/cancel/", batch.cancel, name="cancel-job"),
    path("batches/<str:job_id>/stop/", batch.stop, name="stop-job"),
    path("batches/<str:job_id>/cancel-devices/", batch.cancel_devices, name="cancel-devices"),
    path("batches/<str:job_id>/confirm/", batch.confirm, name="confirm-tasks"),
]
