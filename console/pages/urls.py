from django.urls import path

from console.pages import bulk_views

app_name = "pages"
urlpatterns = [
    path("<int:job>/start/", bulk_views.start, name="start-bulk"),
    path("<int:job>/review-failed/", bulk_views.review_failed, name="review-failed"),
]
