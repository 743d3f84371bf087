"""Releases whose corpus was registered under another descriptor since they were sealed.

It may name further people in their items. Those who withdrew before are asked for no second time, so they are looked
for once more, and so they are by whoever mends a sidecar that was damaged or lost. No amendment says which descriptor
it went by: each process finds out for itself, once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from consentry.control_plane.archive import Archive
from consentry.control_plane.at_seal import same_descriptor
from consentry.control_plane.desk import Desk
from consentry.corpus.registration import Corpus
from consentry.errors import ConsentryError
from consentry.ledger.state import Registered


class Redescribed:
    """The releases that have not heard of another descriptor yet. Owned by one thread at a time."""

    def __init__(self, desk: Desk, *, archive: Archive) -> None:
        self.desk = desk
        self.archive = archive
        self._heard: dict[str, Registered] = {}
        self._mended: set[str] = set()

    def unheard(self, names: Collection[str]) -> dict[str, Registered]:
        """Return those of some releases that have not heard of another descriptor, and of which registration.

        INVARIANT: the caller does not hold the lock of the desk: a corpus that is registered anew takes time to open.
        """
        registered, concerned = self._registered_since(names)
        opened: dict[str, Corpus] = {}
        found = {name: registered[name] for name in concerned if not self._is_same(name, opened)}
        self.heard({name: each for name, each in registered.items() if name not in found})
        return found

    def mended(self, names: Iterable[str]) -> None:
        """Note that what was known of the files of releases was damaged or lost: they have not heard of it as it is."""
        self._mended.update(names)

    def heard(self, registered: Mapping[str, Registered]) -> None:
        """Note that releases are up to date with registrations."""
        self._heard |= registered
        self._mended.difference_update(registered)

    def _registered_since(self, names: Iterable[str]) -> tuple[dict[str, Registered], list[str]]:
        """Return what was registered since releases were sealed, and for which of them anybody ever withdrew.

        Whoever withdraws after that is looked for by what is known by then.
        """
        found: dict[str, Registered] = {}
        with self.desk.lock:
            known = self.desk.present()
            for name in names:
                sealed = known.state.releases.get(name)
                registered = None if sealed is None else known.state.corpora.get(sealed.corpus)
                if sealed is None or registered is None or sealed.withdrawn is not None:
                    continue
                if registered.position > sealed.position and self._heard.get(name) != registered:
                    found[name] = registered
            purposes = {name: known.state.releases[name].purpose for name in found}
            nothing = {each for each in {*purposes.values()} if known.reached(each, since=0).nothing}
        return found, [name for name in found if purposes[name] not in nothing]

    def _is_same(self, name: str, opened: dict[str, Corpus]) -> bool:
        if name in self._mended:
            return False
        try:
            manifest = self.archive.remembered(name).manifest
            if manifest.corpus not in opened:
                opened[manifest.corpus] = self.desk.opened(manifest.corpus)
        except ConsentryError:
            return False  # whoever works out what leaves the release says so
        return same_descriptor(manifest, opened[manifest.corpus])
