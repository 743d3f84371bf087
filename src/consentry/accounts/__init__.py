"""WHO MAY DO WHAT? Accounts, sessions, keys, and the table of what each role may do."""
