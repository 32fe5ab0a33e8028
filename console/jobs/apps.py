from django.apps import AppConfig


class JobsConfig(AppConfig):
    """Background work: jobs, the engine that runs them, and reading and writing CSV files."""

    name = "console.jobs"
    label = "jobs"
