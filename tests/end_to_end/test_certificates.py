"""A certificate of destruction says which bytes went, when and by whom, to whoever has the public key alone."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from consentry.bootstrap import Deployment
from consentry.ledger.lineage_events import Destroyed
from end_to_end.test_clock_jumps import set_clock
from end_to_end.test_story import build
from end_to_end.test_story import place as place  # noqa: PLC0414 - a fixture

CONTENTS = {"deep/two.bin": b"two", "one.bin": b"one of them"}


def checked(envelope: str, public_key: bytes) -> dict[str, Any]:
    """Check a certificate as docs/models.md does, and return what it says."""
    found = json.loads(envelope)
    kind, payload = found["payloadType"].encode(), base64.b64decode(found["payload"])
    key = load_pem_public_key(public_key)
    assert isinstance(key, Ed25519PublicKey)
    key.verify(
        base64.b64decode(found["signatures"][0]["sig"]),
        b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload),
    )
    said: dict[str, Any] = json.loads(payload)
    return said


def destroyed(folder: Path, deployment: Deployment, *, begun: int, ended: int) -> str:
    """Withdraw a release, destroy a copy of it in the time between, and return the certificate."""
    control, release = deployment.control, build(deployment)
    for path, content in CONTENTS.items():
        (folder / "copy" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "copy" / path).write_bytes(content)
    control.releases.withdraw(release, "case 7", by="olga")
    set_clock(deployment, ended)
    deployment.ledger._clock = lambda: begun
    control.destruction.destroy(Destroyed.RELEASE, release, folder=folder / "copy", by="operations")
    (certificate,) = control.destruction.certificates(Destroyed.RELEASE, release)
    return str(certificate["envelope"])


def test_a_certificate_says_which_bytes_went_when_and_by_whom(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    ended = set_clock(deployment, 60)
    envelope = destroyed(folder, deployment, begun=ended - 50, ended=60)
    statement = checked(envelope, (folder / "home" / "keys" / "signing.pub.pem").read_bytes())
    assert statement["files"] == [
        {"path": path, "size": len(content), "digest": f"sha256:{hashlib.sha256(content).hexdigest()}"}
        for path, content in CONTENTS.items()
    ]
    assert statement["begun"] == {"at": ended - 50, "by": "operations"}
    assert statement["destroyed"]["by"] == "operations"
    assert 0 <= statement["destroyed"]["at"] - ended < 30
    assert (statement["of"], statement["folder"]) == ("release", str(folder / "copy"))
    sealed = deployment.control.releases.sealed()[statement["name"]]
    assert sealed.withdrawn is not None
    assert statement["withdrawn_at_position"] == sealed.withdrawn.position


def test_a_certificate_that_was_changed_does_not_check(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    now = set_clock(deployment, 0)
    body = json.loads(destroyed(folder, deployment, begun=now, ended=0))
    statement = json.loads(base64.b64decode(body["payload"]))
    statement["destroyed"]["at"] -= 86_400
    changed = {**body, "payload": base64.b64encode(json.dumps(statement).encode()).decode()}
    with pytest.raises(InvalidSignature):
        checked(json.dumps(changed), (folder / "home" / "keys" / "signing.pub.pem").read_bytes())
