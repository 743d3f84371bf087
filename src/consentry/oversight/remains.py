"""What is left of the weights of models that are withdrawn.

Rules:

* Weights are *known* by a digest: that was registered, that was said at the end of a remedy, or of a model checkpoint
  that a job of the model wrote, in quarantine too.
* Known weights are gone once a certificate says that they were among what was deleted, or two different people say so.
"""

from __future__ import annotations

from collections.abc import Iterable

from consentry.digests import Digest
from consentry.ledger.lineage_events import DestructionCertified, ModelSaidGone

SAY_SO = 2
"""How many people say that weights are gone which nobody saw deleted."""


class Remains:
    """What was written, deleted and said to be gone, folded from events."""

    def __init__(self) -> None:
        self._written: dict[str, dict[Digest, str]] = {}
        self._deleted: dict[str, set[Digest]] = {}
        self._said: dict[str, dict[Digest, tuple[str, ...]]] = {}

    def wrote(self, lease: str, digest: Digest, *, name: str) -> None:
        """Note that a job wrote a model checkpoint under a lease."""
        self._written.setdefault(lease, {})[digest] = name

    def deleted(self, body: DestructionCertified) -> None:
        """Note which known weights were among what was deleted."""
        self._deleted.setdefault(body.name, set()).update(body.deleted)

    def said(self, body: ModelSaidGone) -> None:
        """Note that somebody says of known weights that they are gone."""
        said = self._said.setdefault(body.model, {})
        for each in body.digests:
            said[each] = tuple(dict.fromkeys([*said.get(each, ()), body.by]))

    def said_by(self, model: str, digest: Digest) -> tuple[str, ...]:
        """Return who says that weights are gone."""
        return self._said.get(model, {}).get(digest, ())

    def known(self, registered: Iterable[Digest], *, leases: Iterable[str]) -> dict[Digest, str]:
        """Return the known weights of a model, and as what each is known."""
        found = dict.fromkeys(registered, "registered")
        for lease in leases:
            for digest, name in self._written.get(lease, {}).items():
                found.setdefault(digest, f"model checkpoint {name}")
        return found

    def is_gone(self, model: str, digest: Digest) -> bool:
        """Say whether known weights are gone."""
        return digest in self._deleted.get(model, ()) or len(self.said_by(model, digest)) >= SAY_SO
