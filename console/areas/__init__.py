"""What the platform does: one folder for each area."""
