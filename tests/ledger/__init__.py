"""The ledger, on both stores. A package, so that it may have fixtures and helpers of its own."""
