"""A client of the interface for programs, in Python. It needs httpx2 and nothing of the server."""
