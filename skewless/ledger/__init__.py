"""The ledger: what happened to a view, and the pure functions that answer from it."""
