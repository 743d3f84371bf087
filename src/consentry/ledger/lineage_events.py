"""What became of what was handed out: amendments, models, remedies, destruction. All of them are open events.

`by` is who acted for the platform: a role or a staff handle, never the id of somebody whose content it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, get_args

from consentry.digests import Digest
from consentry.ledger.plain_body import PlainBody


class Remedy(StrEnum):
    """What is done about a model that was trained on what has since been withdrawn."""

    RETRAIN = "retrain"
    """From the beginning, on a release of today: what it was trained on before no longer counts."""
    RETRAIN_SHARD = "retrain-shard"
    """Only the part that saw it; everything else it was trained on still counts."""
    DROP_ADAPTER = "drop-adapter"
    """The adapter that saw it is thrown away; everything else still counts."""
    ACCEPT = "accept"
    """Nothing, for a reason that two different people approve."""


class Destroyed(StrEnum):
    """What kind of thing was destroyed."""

    RELEASE = "release"
    """Copies of what a withdrawn release held."""
    MODEL = "model"
    """A withdrawn model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseAmended(PlainBody):
    """Items were taken out of a sealed release: `items` in all amendments so far, by what was said before `position`.

    `document` is the digest of the signed amendment. Numbers count from 1; each holds all that those before it took.
    """

    KIND: ClassVar[str] = "release.amended"

    release: str
    number: int
    document: Digest
    items: int
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRegistered(PlainBody):
    """A model comes from these releases and leases, and from the model `base`. Said again, it adds to what was said."""

    KIND: ClassVar[str] = "model.registered"

    model: str
    base: str | None
    releases: tuple[str, ...]
    leases: tuple[str, ...]
    digest: Digest | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RemedyChosen(PlainBody):
    """It was decided what is done about an affected model."""

    KIND: ClassVar[str] = "model.remedy-chosen"

    model: str
    remedy: Remedy
    reason: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RemedyApproved(PlainBody):
    """Somebody approved what is done about an affected model where nothing but words say that it is."""

    KIND: ClassVar[str] = "model.remedy-approved"

    model: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRemedied(PlainBody):
    """The remedy is done. It covers what was withdrawn before the position `chosen`, where it was chosen."""

    KIND: ClassVar[str] = "model.remedied"

    model: str
    remedy: Remedy
    chosen: int
    digest: Digest | None
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelWithdrawn(PlainBody):
    """A model may no longer be served, for good."""

    KIND: ClassVar[str] = "model.withdrawn"

    model: str
    reason: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DestructionBegun(PlainBody):
    """The files in the object `plan` are about to be deleted."""

    KIND: ClassVar[str] = "destruction.begun"

    what: Destroyed
    name: str
    plan: Digest
    files: int
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DestructionCertifiedV1(PlainBody):
    """As it was said before files were compared with what was known of a model. Not written any more."""

    KIND: ClassVar[str] = "destruction.certified"

    what: Destroyed
    name: str
    plan: Digest
    certificate: Digest
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DestructionCertifiedV2(PlainBody):
    """As it was said while any folder would do for a model of which no weights were known. Not written any more."""

    KIND: ClassVar[str] = "destruction.certified"
    VERSION: ClassVar[int] = 2

    what: Destroyed
    name: str
    plan: Digest
    certificate: Digest
    deleted: tuple[Digest, ...]
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DestructionCertified(PlainBody):
    """All files of a plan are gone; `certificate` is the digest of the signed statement that says so.

    `deleted` are the known weights of a model that were among them. `recorded`: whether any were known when it was
    withdrawn; None: it is about a release. If none were, two different people say that they are gone.
    """

    KIND: ClassVar[str] = "destruction.certified"
    VERSION: ClassVar[int] = 3

    what: Destroyed
    name: str
    plan: Digest
    certificate: Digest
    deleted: tuple[Digest, ...]
    recorded: bool | None
    by: str


AnyCertified = DestructionCertifiedV1 | DestructionCertifiedV2 | DestructionCertified
"""In whichever version it was said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSaidGone(PlainBody):
    """Somebody says that known weights of a withdrawn model are gone, which no certificate names as deleted.

    Of a model of which none were known when it was withdrawn they say that all there was is gone.
    """

    KIND: ClassVar[str] = "model.said-gone"

    model: str
    digests: tuple[Digest, ...]
    reason: str
    by: str


LineageBody = (
    ReleaseAmended
    | ModelRegistered
    | RemedyChosen
    | RemedyApproved
    | ModelRemedied
    | ModelWithdrawn
    | DestructionBegun
    | DestructionCertified
    | DestructionCertifiedV2
    | DestructionCertifiedV1
    | ModelSaidGone
)
LINEAGE: tuple[type[LineageBody], ...] = get_args(LineageBody)
"""They concern nobody's choices: what is known of people stays as it is."""
