from tests.populated import copied_fleet, populated, seeded_fleet

__all__ = ["copied_fleet", "populated", "seeded_fleet"]  # fixtures
