"""What is put is there whole, and what is read was checked."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentry.errors import IntegrityError, NotFoundError, StateError
from consentry.public_key import verify_signature
from consentry.storage import PUBLIC_KEY, Ed25519Signer, Keys, Objects


def test_objects(tmp_path: Path) -> None:
    objects = Objects(tmp_path / "objects")
    name = objects.put(b"content")
    assert objects.put(b"content") == name
    assert objects.get(name) == b"content"
    assert objects.get(objects.put(b"")) == b""
    with pytest.raises(NotFoundError, match="object-missing"):
        objects.get("sha256:" + "0" * 64)
    path = tmp_path / "objects" / name.removeprefix("sha256:")
    path.write_bytes(b"contenT")
    with pytest.raises(IntegrityError, match="object-damaged"):
        objects.get(name)


def test_keys_are_made_once_for_their_owner_only(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "keys")
    secret = keys.pseudonym_key(create=True)
    assert len(secret) == 32
    assert keys.pseudonym_key(create=True) == keys.pseudonym_key(create=False) == secret
    assert keys.signer(create=True).key_id == keys.signer(create=False).key_id
    for path in (tmp_path / "keys").glob("*.key"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert path.read_bytes() not in (b"", bytes(32))
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700


def test_the_public_key_is_put_there_when_it_is_said(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "keys")
    signer = keys.signer(create=True)
    assert not (tmp_path / "keys" / PUBLIC_KEY).exists()
    keys.publish(signer)
    assert (tmp_path / "keys" / PUBLIC_KEY).read_bytes() == signer.public_pem
    (tmp_path / "keys" / PUBLIC_KEY).write_bytes(b"torn")
    keys.publish(signer)
    assert (tmp_path / "keys" / PUBLIC_KEY).read_bytes() == signer.public_pem


def test_a_lost_or_damaged_key_is_not_replaced(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "keys")
    with pytest.raises(StateError, match="key-missing"):
        keys.pseudonym_key(create=False)
    keys.pseudonym_key(create=True)
    (tmp_path / "keys" / "pseudonym.key").write_bytes(b"short")
    for create in (True, False):
        with pytest.raises(IntegrityError, match="key-damaged"):
            keys.pseudonym_key(create=create)


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=40), st.integers(0, 63))
def test_signatures(seed: bytes, content: bytes, at: int) -> None:
    signer = Ed25519Signer(seed)
    signature = signer.sign(content)
    assert verify_signature(signer.public_key, signature=signature, content=content)
    assert not verify_signature(signer.public_key, signature=signature, content=content + b"x")
    broken = bytearray(signature)
    broken[at] ^= 4
    assert not verify_signature(signer.public_key, signature=bytes(broken), content=content)
    assert not verify_signature(signer.public_key, signature=signature[:-1], content=content)
    assert not verify_signature(b"short", signature=signature, content=content)
