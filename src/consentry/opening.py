"""Opens the ledger of a home. Beside `bootstrap`, which opens all of a deployment, the only importer of adapters.

For an order nothing else is opened: it takes what oversight knows, names nobody and signs nothing. So no keys are asked
for, and no people are read in; who stops a use waits for neither. Compared is what says whose ledger this is, and that
it is the newest there is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path

from consentry.clock import boot, milliseconds, now, uptime
from consentry.control_plane.issue_times import IssueTimes
from consentry.control_plane.issuing import Issuing
from consentry.control_plane.older_copy import require_newest
from consentry.control_plane.order_desk import OrderDesk
from consentry.errors import IntegrityError
from consentry.home import holding, holds_deployment, read_identity, require_deployment
from consentry.identity import Identity, require_ledger, require_signing_key
from consentry.ledger.acknowledged import Acknowledged
from consentry.ledger.postgres import Replica, open_postgres
from consentry.ledger.schema import LedgerIdentity
from consentry.ledger.sql import SqlLedger
from consentry.ledger.sqlite import open_sqlite
from consentry.policy.choice import Seconds
from consentry.settings import Settings, read_settings


def open_ledger(settings: Settings, bound: Identity | None, *, clock: Callable[[], Seconds]) -> SqlLedger:
    """Open the ledger that the settings name, if it is the one that is `bound` to the home; None: nothing is yet."""
    window, timeout = settings.group_commit_window_ms / 1000, settings.ledger_timeout_s
    belongs = partial(recognise, bound)
    if (file := settings.ledger_file) is not None:
        is_new = not holds_deployment(settings)
        return open_sqlite(file, clock=clock, create=is_new, recognise=belongs, window=window, timeout=timeout)
    replica: Replica = "required" if settings.ledger_replica_required else "none"
    return open_postgres(
        settings.ledger, clock=clock, replica=replica, recognise=belongs, window=window, timeout=timeout
    )


def recognise(bound: Identity | None, found: LedgerIdentity | None) -> None:
    """Refuse a ledger that is another than the one that is bound to a home.

    Raises:
        IntegrityError: it is another.
    """
    if bound is not None:
        require_ledger(bound.ledger, None if found is None else found.ledger)


@contextmanager
def opened_for_orders(home: Path | None = None) -> Iterator[Issuing | None]:
    """Yield what gives orders, with only the ledger open while the block lasts.

    None: it is not certain yet what belongs to the home, as before its first opening was done, or where a ledger is
    empty. Then the whole deployment has to be opened (`bootstrap.open_deployment`), which finds out or refuses.

    Raises:
        NotFoundError: the folder holds no deployment, or its ledger is gone.
        IntegrityError: the ledger is another deployment's, or an older copy.
    """
    settings = read_settings(home)
    require_deployment(settings)
    with ExitStack() as held:
        ledger = _bound_ledger(settings, held)
        if ledger is None:
            yield None
            return
        times = IssueTimes(folder=settings.home / "cache" / "issued", boot=boot(), uptime=uptime)
        yield Issuing(OrderDesk(settings.home, ledger), milliseconds=milliseconds, times=times)


def notes_of(settings: Settings, ledger: SqlLedger) -> Acknowledged:
    """Return where the newest event is noted: in the home, and in a folder elsewhere if the settings name one.

    Raises:
        InputError: that folder is not there, or is in the home.
    """
    second = settings.second_notes
    return Acknowledged(settings.home, second=second, ledger=ledger.identity().ledger if second else "")


def _bound_ledger(settings: Settings, held: ExitStack) -> SqlLedger | None:
    """Open the ledger of a home, to be closed with `held`; None: the home or the ledger does not say that it is its."""
    folder, bound = settings.home, read_identity(settings.home)
    if bound is None:
        return None
    with holding(folder):
        ledger = held.enter_context(closing(open_ledger(settings, bound, clock=now)))
        if ledger.head() == 0 or ledger.identity().pseudonym_key != bound.pseudonym_key:
            return None
        ledger.note_to(acknowledged := notes_of(settings, ledger))
        require_newest(folder, ledger, acknowledged=acknowledged)
    return ledger


def require_releases(folder: Path, ledger: SqlLedger, *, found: Identity) -> None:
    """Refuse a ledger that sealed none of the releases of a home, or a key that signed none of them.

    Raises:
        IntegrityError: it is another deployment's.
    """
    # Only here: who gives an order does not wait for what releases need.
    from consentry.release.manifest import sealed_in  # noqa: PLC0415
    from consentry.release.sealing import is_sealed  # noqa: PLC0415

    releases = [*sealed_in(folder / "releases")]
    if not releases:
        return
    keys = [key for key, _, _ in releases]
    if found.signing_key not in keys:
        require_signing_key(keys[-1], found.signing_key)
    if not any(is_sealed(ledger, manifest, position=position) for _, manifest, position in releases):
        raise IntegrityError(
            "ledger-of-another-deployment",
            f"this is ledger `{found.ledger}`, which sealed none of the releases of this home",
            help="name the right one in `ledger_url`, or restore it from a backup",
        )
