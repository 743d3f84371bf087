"""`python short_answers.py ARGUMENT...` is `consentry ARGUMENT...` whose answers about models count for TTL_S."""

from __future__ import annotations

TTL_S = 3.0

if __name__ == "__main__":
    from consentry.cli.main import main
    from consentry.service.api import models

    models.SERVING_TTL_S = TTL_S
    main()
