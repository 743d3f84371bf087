"""The ledger, on both stores. A package, so that its modules may share names with others."""
