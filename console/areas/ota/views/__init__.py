"""The pages of over-the-air updates: packages, modules, creating and monitoring batches."""
