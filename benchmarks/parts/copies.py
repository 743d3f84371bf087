"""Many sealed releases from few: copies with a name, a manifest, a signature and an event of their own."""

from __future__ import annotations

import shutil
from dataclasses import replace

from consentry.control_plane.plane import ControlPlane
from consentry.ledger.release_events import ReleaseSealed
from consentry.release.builder import manifest_digest
from consentry.release.manifest import ENVELOPE, EXCLUSIONS, MANIFEST, TALLIES, Manifest, envelope, pre_authentication


def sealed_again(control: ControlPlane, name: str) -> str:
    """Seal the same bitmaps once more, under another name."""
    source, signer = control.desk.releases / name, control.desk.parts.signer
    like = Manifest.from_bytes((source / MANIFEST).read_bytes())
    with control.desk.parts.ledger.sealing() as session:
        release = f"{like.corpus}.{like.purpose}.{session.position}"
        manifest = replace(like, release=release, position=session.position)
        payload, target = manifest.to_bytes(), control.desk.releases / release
        target.mkdir()
        for each in (EXCLUSIONS, TALLIES):
            shutil.copy(source / each, target / each)
        (target / MANIFEST).write_bytes(payload)
        signature = signer.sign(pre_authentication(payload))
        (target / ENVELOPE).write_bytes(envelope(payload, key_id=signer.key_id, signature=signature))
        sealed = ReleaseSealed(
            release=release,
            manifest=manifest_digest(manifest),
            policy=manifest.policy.digest,
            purpose=manifest.purpose,
            corpus=manifest.corpus,
            position=session.position,
        )
        session.append([sealed])
    return release
