from tests.populated import fleet_copied, populated, seeded

__all__ = ["fleet_copied", "populated", "seeded"]  # fixtures
