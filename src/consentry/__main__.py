"""`python -m consentry`: the same as the `consentry` command."""

from __future__ import annotations

if __name__ == "__main__":
    try:
        from consentry.cli import interrupts

        interrupts.catch()
        from consentry.cli.main import main
    except KeyboardInterrupt:
        # Nothing was begun. The same exit status as for an interrupted command, without a traceback.
        raise SystemExit(130) from None
    main()
