"""`python -m consentry`: the same as the `consentry` command."""

from __future__ import annotations

from consentry.cli.main import main

if __name__ == "__main__":
    main()
