"""What is left of the weights of models that are withdrawn.

Rules:

* Weights are *known* by a digest: that was registered, that was said at the end of a remedy, or of a model checkpoint
  that a job of the model wrote, in quarantine too.
* Known weights are gone once a certificate says that they were among what was deleted, or two different people say so.
* A model of which none were known when it was withdrawn is *unrecorded*: no certificate can tell that what was deleted
  were its weights. Two different people say that all there was is gone; a digest that is registered later is the word
  of one person as well, and changes nothing about that.
"""

from __future__ import annotations

from collections.abc import Iterable

from consentry.digests import Digest
from consentry.ledger.lineage_events import DestructionCertified, DestructionCertifiedV2, ModelSaidGone

SAY_SO = 2
"""How many people say that weights are gone which nobody saw deleted."""


class Remains:
    """What was written, deleted and said to be gone, folded from events."""

    def __init__(self) -> None:
        self._written: dict[str, dict[Digest, str]] = {}
        self._deleted: dict[str, set[Digest]] = {}
        self._said: dict[str, dict[Digest, tuple[str, ...]]] = {}
        self._unrecorded: dict[str, tuple[str, ...]] = {}

    def wrote(self, lease: str, digest: Digest, *, name: str) -> None:
        """Note that a job wrote a model checkpoint under a lease."""
        self._written.setdefault(lease, {})[digest] = name

    def withdrew(self, model: str, *, recorded: bool) -> None:
        """Note that a model was withdrawn, and whether weights of it were known by then."""
        if not recorded:
            self._unrecorded.setdefault(model, ())

    def deleted(self, body: DestructionCertified | DestructionCertifiedV2) -> None:
        """Note which known weights were among what was deleted."""
        self._deleted.setdefault(body.name, set()).update(body.deleted)

    def said(self, body: ModelSaidGone) -> None:
        """Note that somebody says of known weights that they are gone."""
        said = self._said.setdefault(body.model, {})
        for each in body.digests:
            said[each] = tuple(dict.fromkeys([*said.get(each, ()), body.by]))
        if body.model in self._unrecorded:
            self._unrecorded[body.model] = tuple(dict.fromkeys([*self._unrecorded[body.model], body.by]))

    def said_by(self, model: str, digest: Digest) -> tuple[str, ...]:
        """Return who says that weights are gone."""
        return self._said.get(model, {}).get(digest, ())

    def unrecorded(self, model: str) -> tuple[str, ...] | None:
        """Return who says that all there was of an unrecorded model is gone; None of any other model."""
        return self._unrecorded.get(model)

    def is_settled(self, model: str) -> bool:
        """Say whether it is enough that none of the known weights of a model are left."""
        said = self._unrecorded.get(model)
        return said is None or len(said) >= SAY_SO

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
