from django.apps import AppConfig


class JobsConfig(AppConfig):
    """Background work: jobs, the engine that runs them, reading and writing CSV."""

    name = "console.jobs"
    label = "jobs"
