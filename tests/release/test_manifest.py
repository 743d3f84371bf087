"""A manifest is read back as it was written, to the byte, and nothing else is taken for one."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentry.corpus.sidecar import FilePin
from consentry.digests import canonical_json, digest
from consentry.errors import IntegrityError
from consentry.policy.vocabulary import Purpose
from consentry.release.manifest import (
    BitmapPin,
    Manifest,
    PolicyPin,
    ReleaseFile,
    envelope,
    lay_out,
    open_envelope,
    pre_authentication,
)

NAMES = st.text(max_size=12).filter(lambda text: text.isprintable())
NUMBERS = st.integers(0, 2**53 - 1)
DIGESTS = st.binary(max_size=3).map(digest)
FILES = st.builds(
    ReleaseFile,
    pin=st.builds(FilePin, path=NAMES, size=NUMBERS, digest=DIGESTS, rows=st.integers(0, 2**32)),
    bitmap=st.builds(BitmapPin, offset=NUMBERS, length=NUMBERS, digest=DIGESTS, cardinality=st.integers(0, 2**32)),
)
MANIFESTS = st.builds(
    Manifest,
    release=NAMES,
    corpus=NAMES,
    corpus_snapshot=DIGESTS,
    people_snapshot=DIGESTS,
    purpose=st.sampled_from(Purpose),
    policy=st.builds(PolicyPin, name=NAMES, version=NAMES, digest=DIGESTS),
    position=NUMBERS,
    decided_at=st.integers(-(2**40), 2**40),
    files=st.lists(FILES, max_size=3).map(tuple),
    tallies=DIGESTS,
    counts=st.dictionaries(NAMES, NUMBERS, max_size=3),
)


@given(MANIFESTS)
def test_round_trip(manifest: Manifest) -> None:
    content = manifest.to_bytes()
    again = Manifest.from_bytes(content)
    assert again == manifest
    assert again.to_bytes() == content
    assert manifest.items - manifest.eligible == sum(file.bitmap.cardinality for file in manifest.files)


@given(MANIFESTS, st.data())
def test_nothing_else_is_a_manifest(manifest: Manifest, data: st.DataObject) -> None:
    body = manifest.to_json()
    key = data.draw(st.sampled_from(sorted(body)))
    without = {name: value for name, value in body.items() if name != key}
    for content in (
        manifest.to_bytes() + b" ",
        manifest.to_bytes()[:-1],
        json.dumps(body, indent=1).encode(),
        canonical_json(without),
        canonical_json({**body, "format": "consentry/release/v0"}),
        canonical_json({**body, "purpose": "fun"}),
        b"[]",
        b"null",
        b"\xff",
        b"",
    ):
        with pytest.raises(IntegrityError, match="release-manifest-damaged"):
            Manifest.from_bytes(content)


@given(st.binary(max_size=50), st.text(max_size=9), st.binary(max_size=64))
def test_envelopes(payload: bytes, key_id: str, signature: bytes) -> None:
    content = envelope(payload, key_id=key_id, signature=signature)
    assert open_envelope(content) == (payload, key_id, signature)
    assert payload in pre_authentication(payload)
    for broken in (content + b"\n", content[:-1], b"{}", b"[]", b"", content.replace(b"payloadType", b"payloadtype")):
        with pytest.raises(IntegrityError, match="release-envelope-damaged"):
            open_envelope(broken)


def test_an_envelope_holds_nothing_that_nobody_signed() -> None:
    """The signature is over the payload alone, so what stands beside it could say anything."""
    whole = envelope(b"{}", key_id="sha256:0", signature=bytes(64))
    body = json.loads(whole)
    (signature,) = body["signatures"]
    same_bits = signature["sig"].replace("AA==", "AB==")  # the last bits of base64 that nothing is made of
    for beside in (
        {**body, "note": "nobody signed this"},
        {**body, "signatures": [{**signature, "by": "the regulator"}]},
        {**body, "signatures": [{**signature, "sig": same_bits}]},
        {**body, "payload": "e30=".replace("0", "1")},
    ):
        with pytest.raises(IntegrityError, match="release-envelope-damaged"):
            open_envelope(canonical_json(beside))
    assert open_envelope(canonical_json(body)) == (b"{}", "sha256:0", bytes(64))


def test_what_is_signed_says_what_it_is() -> None:
    kind = b"application/vnd.consentry.release+json"
    assert pre_authentication(b"{}") == b"DSSEv1 %d %b 2 {}" % (len(kind), kind)  # PAE of DSSE v1.0.2


@given(st.lists(st.tuples(st.binary(max_size=20), NUMBERS), max_size=5))
def test_bitmaps_lie_one_after_another(bitmaps: list[tuple[bytes, int]]) -> None:
    content, pins = lay_out([(framed, digest(framed), cardinality) for framed, cardinality in bitmaps])
    assert [content[pin.offset : pin.offset + pin.length] for pin in pins] == [framed for framed, _ in bitmaps]
    assert [pin.cardinality for pin in pins] == [cardinality for _, cardinality in bitmaps]
    assert [pin.digest for pin in pins] == [digest(framed) for framed, _ in bitmaps]
    assert sum(pin.length for pin in pins) == len(content)
