from __future__ import annotations

import json
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroaring import BitMap64

from consentry.errors import IntegrityError
from consentry.release import puffin
from consentry.release.deletion_vector import BLOB_TYPE, MAGIC, frame, unframe

VECTOR = BitMap64([1, 5, 70_000]).serialize()
BLOB = frame(VECTOR)


def damaged(blob: bytes) -> str:
    """Return what is said about bytes that are damaged."""
    with pytest.raises(IntegrityError) as caught:
        unframe(blob)
    assert caught.value.code == "release-deletion-vector-damaged"
    return caught.value.message


class TestDamage:
    def test_every_flipped_bit_is_noticed(self) -> None:
        for place in range(len(BLOB)):
            for bit in range(8):
                flipped = bytearray(BLOB)
                flipped[place] ^= 1 << bit
                assert damaged(bytes(flipped))

    def test_every_truncation_is_noticed(self) -> None:
        for length in range(len(BLOB)):
            assert damaged(BLOB[:length])

    def test_bytes_after_the_frame_are_noticed(self) -> None:
        assert "states" in damaged(BLOB + b"\0")

    def test_another_magic_is_refused_even_with_a_good_checksum(self) -> None:
        body = b"\0\0\0\0" + VECTOR
        forged = struct.pack(">I", len(body)) + body + struct.pack(">I", zlib.crc32(body))
        assert "starts with 00000000 in place of d1d33964" in damaged(forged)

    def test_a_checksum_in_the_other_byte_order_is_refused(self) -> None:
        body = MAGIC + VECTOR
        forged = struct.pack(">I", len(body)) + body + struct.pack("<I", zlib.crc32(body))
        assert "checksum" in damaged(forged)

    def test_a_frame_within_a_frame_is_not_its_content(self) -> None:
        assert unframe(frame(BLOB)) == BLOB


def test_the_bytes_are_those_of_the_format() -> None:
    """Written down by hand from the specification: one bitmap, key 0, one array container with 1 and 5."""
    vector = bytes.fromhex("0100000000000000000000003a30000001000000000001001000000001000500")
    assert BitMap64([1, 5]).serialize() == vector
    body = bytes.fromhex("d1d33964") + vector
    assert frame(vector) == len(body).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")


@given(st.sets(st.integers(0, 2**40), max_size=300))
def test_any_set_comes_back(positions: set[int]) -> None:
    assert set(BitMap64.deserialize(unframe(frame(BitMap64(positions).serialize())))) == positions


def a_blob(payload: bytes = BLOB) -> puffin.Blob:
    properties = {"referenced-data-file": "file:///é/a.parquet", "cardinality": "3"}
    return puffin.Blob(type=BLOB_TYPE, fields=(2147483645,), properties=properties, payload=payload)


class TestPuffin:
    @given(st.binary(max_size=200), st.dictionaries(st.text(st.characters(codec="utf-8")), st.text("aé✓")))
    def test_any_blob_comes_back(self, payload: bytes, properties: dict[str, str]) -> None:
        blob = puffin.Blob(type="t", fields=(1, 2), properties=properties, payload=payload)
        assert puffin.read(puffin.write(blob, created_by="test")) == blob

    def test_the_footer_says_what_the_format_asks_for(self) -> None:
        content = puffin.write(a_blob(), created_by="test")
        assert content[:4] == content[-4:] == b"PFA1"
        length = int.from_bytes(content[-12:-8], "little", signed=True)
        assert content[-8:-4] == bytes(4)
        assert content[-12 - length - 4 : -12 - length] == b"PFA1"
        (described,) = json.loads(content[-12 - length : -12])["blobs"]
        assert (described["snapshot-id"], described["sequence-number"]) == (-1, -1)
        assert "compression-codec" not in described
        assert content[described["offset"] :][: described["length"]] == BLOB

    def test_every_truncation_is_noticed(self) -> None:
        content = puffin.write(a_blob(), created_by="test")
        for length in range(len(content)):
            with pytest.raises(IntegrityError) as caught:
                puffin.read(content[:length])
            assert caught.value.code == "release-puffin-damaged"

    def test_a_flipped_bit_is_noticed_or_changes_nothing_that_counts(self) -> None:
        """The payload has a checksum of its own; the footer must still describe it, or the file is refused."""
        content = puffin.write(a_blob(), created_by="test")
        for place in range(len(content)):
            flipped = bytearray(content)
            flipped[place] ^= 1
            try:
                blob = puffin.read(bytes(flipped))
                if blob.type == BLOB_TYPE:
                    assert unframe(blob.payload) == VECTOR
            except IntegrityError:
                continue

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"offset": 3}, "outside itself"),
            ({"length": 10_000}, "outside itself"),
            ({"length": -1}, "outside itself"),
            ({"compression-codec": "zstd"}, "compressed blob"),
            ({"type": None, "fields": None}, "does not describe one blob"),
        ],
    )
    def test_a_footer_that_lies_is_refused(self, change: dict[str, object], message: str) -> None:
        with pytest.raises(IntegrityError, match=message):
            puffin.read(self._with_footer({"blobs": [self._described() | change]}))

    def test_two_blobs_are_refused(self) -> None:
        with pytest.raises(IntegrityError, match="does not describe one blob"):
            puffin.read(self._with_footer({"blobs": [self._described(), self._described()]}))

    def test_a_compressed_footer_is_refused(self) -> None:
        with pytest.raises(IntegrityError, match="flags"):
            puffin.read(self._with_footer({"blobs": [self._described()]}, flags=1))

    @staticmethod
    def _described() -> dict[str, object]:
        return {"type": BLOB_TYPE, "fields": [1], "offset": 4, "length": len(BLOB), "properties": {}}

    @staticmethod
    def _with_footer(footer: dict[str, object], *, flags: int = 0) -> bytes:
        text = json.dumps(footer).encode()
        return b"PFA1" + BLOB + b"PFA1" + text + struct.pack("<iI", len(text), flags) + b"PFA1"
