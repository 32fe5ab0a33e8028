"""Conformance tests: the official SDK calls every operation of the emulator, with both of its signature schemes."""
