from tests.world import fleet_copied, seeded, world

__all__ = ["fleet_copied", "seeded", "world"]  # fixtures
