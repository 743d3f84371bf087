"""How the tables of a ledger came to be, step by step. A step that was released is never edited."""
