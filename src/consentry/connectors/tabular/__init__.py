"""Tables of any platform: Parquet, CSV, JSON lines and SQL queries, read by descriptor."""
