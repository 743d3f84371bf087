"""The last step of a build: write the release folder, then say so in the ledger, all while holding the head."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from consentry.corpus.registration import Corpus
from consentry.digests import Digest, digest
from consentry.ledger.case_events import Handle
from consentry.ledger.release_events import ReleaseSealed, Sealing
from consentry.ledger.state import State
from consentry.ledger.store import LedgerReader, SealingSession
from consentry.policy.policy_set import PolicySet
from consentry.release import builder
from consentry.release.manifest import Manifest, PolicyPin
from consentry.transparency.signed_document import Signer

NO_PEOPLE = digest(b"")
"""The people snapshot of a release that was built before any people table was loaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A sealed release: its manifest and the digest that the ledger keeps of it."""

    manifest: Manifest
    digest: Digest


def policy_pin(policy: PolicySet, document: Digest) -> PolicyPin:
    """Return what a manifest says of the policy set that decided; `document` is the digest of its text."""
    return PolicyPin(name=policy.name, version=policy.version, digest=document)


def seal(
    corpus: Corpus,
    draft: builder.Draft,
    *,
    made: builder.Content,
    session: SealingSession,
    state: State,
    policy: PolicyPin,
    folder: Path,
    signer: Signer,
    by: Handle | None,
) -> Built:
    """Seal a draft at the head of the ledger.

    Args:
        corpus: what was decided about.
        draft: the decisions, as of `session.position`.
        made: the decisions as bytes.
        session: holds the head; the seal takes effect when the caller leaves it.
        state: the ledger's state at `session.position`.
        policy: the policy set that decided.
        folder: the folder of the releases; what earlier builds left there unsealed is removed.
        signer: signs the manifest.
        by: who builds it, as the ledger says.
    """
    manifest = Manifest(
        release=f"{corpus.name}.{draft.basis.purpose}.{session.position}",
        corpus=corpus.name,
        corpus_snapshot=corpus.snapshot,
        people_snapshot=state.people.snapshot if state.people is not None else NO_PEOPLE,
        purpose=draft.basis.purpose,
        policy=policy,
        position=session.position,
        decided_at=draft.basis.at,
        files=builder.release_files(corpus.sidecars, made),
        tallies=digest(made.tallies),
        counts=made.counts,
    )
    builder.sweep(folder, state.releases.keys(), head=session.position)
    payload = manifest.to_bytes()
    builder.write(folder / manifest.release, payload, made=made, signer=signer)
    built = Built(manifest=manifest, digest=digest(payload))
    session.append([_sealed(built, by)])
    return built


def _sealed(built: Built, by: Handle | None) -> ReleaseSealed:
    """Return what the ledger keeps of a release."""
    manifest = built.manifest
    return ReleaseSealed(
        release=manifest.release,
        manifest=built.digest,
        policy=manifest.policy.digest,
        purpose=manifest.purpose,
        corpus=manifest.corpus,
        position=manifest.position,
        by=by,
    )


def is_sealed(ledger: LedgerReader, manifest: Digest, *, position: int) -> bool:
    """Say whether a ledger sealed a release with this manifest at a position."""
    bodies = [event.body for event in ledger.read(position, position + 1)]
    return any(isinstance(body, Sealing) and body.manifest == manifest for body in bodies)
