"""The current official SDK as a client of the emulator: every operation that it has, under both of its signature schemes."""
