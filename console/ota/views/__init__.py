"""The pages of updates: packages, modules, making batches, following a batch."""
