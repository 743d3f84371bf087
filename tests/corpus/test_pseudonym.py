from __future__ import annotations

import copy
import threading
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from cryptography.hazmat.primitives.ciphers import algorithms
from cryptography.hazmat.primitives.cmac import CMAC
from hypothesis import given
from hypothesis import strategies as st

from consentry.corpus.cmac import Cmac
from consentry.corpus.pseudonym import (
    PseudonymKey,
    Words,
    high_words,
    of_texts,
    pseudonym,
    pseudonyms,
    text_of,
    words,
    words_of,
)
from consentry.errors import CorpusError, InputError

KEY = PseudonymKey(bytes(range(32)))
IDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)


def expected(ids: list[Any]) -> list[str | None]:
    return [None if each is None or each == "" else pseudonym(KEY, each) for each in ids]


MESSAGE = bytes.fromhex(
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
)


def test_the_function_gives_the_published_vectors() -> None:
    # NIST SP 800-38B, examples for AES-256: the first 0, 16, 20 and 64 bytes.
    cmac = Cmac(bytes.fromhex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"))
    published = {
        0: "028962f61b7bf89efc6b551f4667d983",
        16: "28a7023f452e8f82bd4bf28d8c37c35c",
        20: "156727dc0878944a023c1fe03bad6d93",
        64: "e1992190549f6ed5696a2c056c315410",
    }
    assert {size: cmac.of(MESSAGE[:size]).hex() for size in published} == published


@given(st.binary(max_size=70), st.binary(min_size=32, max_size=32))
def test_the_function_is_that_of_a_cryptographic_library(message: bytes, secret: bytes) -> None:
    reference = CMAC(algorithms.AES256(secret))
    reference.update(message)
    assert Cmac(secret).of(message) == reference.finalize()


def test_the_words_of_an_id_are_what_the_module_says() -> None:
    found = Cmac(bytes(range(32))).of("Zoë".encode())
    assert pseudonym(KEY, "Zoë") == found.hex()
    assert words(KEY, "Zoë") == (int.from_bytes(found[:8], "big"), int.from_bytes(found[8:], "big"))
    assert words_of(pseudonym(KEY, "Zoë")) == words(KEY, "Zoë")


@given(st.lists(st.none() | IDS, max_size=40))
def test_a_column_of_any_unicode_equals_the_scalar_way(ids: list[str | None]) -> None:
    assert pseudonyms(KEY, pa.array(ids, type=pa.string())).texts() == expected(ids)
    assert pseudonyms(KEY, pa.array(ids, type=pa.large_string())).texts() == expected(ids)


@given(st.lists(st.none() | IDS, max_size=20), st.integers(0, 5), st.integers(0, 20))
def test_a_slice_of_a_column_equals_the_scalar_way(ids: list[str | None], start: int, stop: int) -> None:
    for kind in (pa.string(), pa.large_string(), pa.string_view()):
        assert pseudonyms(KEY, pa.array(ids, type=kind)[start:stop]).texts() == expected(ids[start:stop])
    encoded = pa.array(ids, type=pa.string()).dictionary_encode()
    assert pseudonyms(KEY, encoded[start:stop]).texts() == expected(ids[start:stop])


@pytest.mark.parametrize("kind", ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"])
def test_an_integer_is_its_decimal_text(kind: str) -> None:
    lowest, highest = np.iinfo(kind).min, np.iinfo(kind).max
    numbers = [lowest, highest, 0, 1, 7, 100, None]
    found = pseudonyms(KEY, pa.array(numbers, type=getattr(pa, kind)()))
    texts = pa.array([None if number is None else str(number) for number in numbers])
    assert found.texts() == pseudonyms(KEY, texts).texts() == expected(numbers)
    encoded = pa.array(numbers, type=getattr(pa, kind)()).dictionary_encode()
    assert pseudonyms(KEY, encoded).texts() == expected(numbers)


def test_many_ids_of_every_length_equal_the_scalar_way() -> None:
    rng = np.random.default_rng(5)
    ids = ["é" * int(size // 2) + "x" * int(size % 2) for size in rng.integers(1, 80, 30_000)]
    ids[17], ids[20_001] = "y" * 5_000, "z" * 100_000
    whole = pa.chunked_array([pa.array(ids[:11]), pa.array([], pa.string()), pa.array(ids[11:])])
    found = pseudonyms(KEY, whole)
    assert found.texts() == expected(ids)
    assert found.absent is None
    assert np.array_equal(high_words(KEY, whole), found.high)


def test_every_length_around_a_word_equals_the_scalar_way() -> None:
    for size in [*range(1, 40), 511, 512, 513, 520]:
        ids = [f"{index:x}".rjust(size, "\0")[-size:] for index in range(20)]
        assert pseudonyms(KEY, pa.array(ids)).texts() == expected(ids)


def test_null_and_empty_are_told_apart() -> None:
    found = pseudonyms(KEY, pa.array(["a", None, "", "b"]))
    assert found.null is not None
    assert found.null.tolist() == [False, True, False, False]
    assert found.empty is not None
    assert found.empty.tolist() == [False, False, True, False]
    assert found.absent is not None
    assert found.absent.tolist() == [False, True, True, False]
    assert pseudonyms(KEY, pa.array(["a"])).absent is None
    assert pseudonyms(KEY, pa.nulls(3)).texts() == [None] * 3


def test_a_dictionary_may_hold_null_and_empty() -> None:
    encoded = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, None, 2]), pa.array(["a", None, ""]))
    found = pseudonyms(KEY, encoded)
    assert found.texts() == [pseudonym(KEY, "a"), None, None, None, None]
    assert found.null is not None
    assert found.null.tolist() == [False, True, False, True, False]
    assert found.empty is not None
    assert found.empty.tolist() == [False, False, True, False, True]


@pytest.mark.parametrize("column", [pa.array([1.5]), pa.array([True]), pa.array([b"x"]), pa.array([["a"]])])
def test_other_types_are_refused(column: Any) -> None:
    with pytest.raises(CorpusError, match="holds no ids") as caught:
        pseudonyms(KEY, column)
    assert caught.value.code == "corpus-wrong-type"


def test_half_a_character_is_refused() -> None:
    with pytest.raises(CorpusError) as caught:
        pseudonym(KEY, "x\ud800")
    assert caught.value.code == "corpus-unencodable-id"


def test_domains_have_nothing_in_common() -> None:
    keys = [KEY, KEY.for_people(), KEY.for_items("a"), KEY.for_items("b"), KEY.for_items("")]
    found = [word for key in keys for word in words(key, "same")]
    assert len(set(found)) == len(found)
    assert KEY.for_items("a") == PseudonymKey(bytes(range(32))).for_items("a")


def test_a_fingerprint_recognises_a_key_and_is_no_pseudonym_of_anything() -> None:
    other = PseudonymKey(bytes([*KEY.secret[:-1], KEY.secret[-1] ^ 1]))
    assert KEY.fingerprint() == PseudonymKey(KEY.secret).fingerprint() != other.fingerprint()
    assert len(bytes.fromhex(KEY.fingerprint())) == 16
    used = [KEY, KEY.for_people(), KEY.for_items(""), KEY.for_items("consentry-key-id")]
    guesses = ["", "fingerprint", "consentry-key-id", KEY.fingerprint()]
    assert KEY.fingerprint() not in {pseudonym(key, guess) for key in used for guess in guesses}
    # Stored in every home and every ledger: it must never come out differently.
    assert PseudonymKey(bytes(range(32))).fingerprint() == "666fda990ae04cfc06d6b890e49ab3e3"


def test_a_key_stays_secret_and_whole() -> None:
    key = PseudonymKey(b"0123456789abcdef" * 2)
    assert repr(key) == str(key) == "PseudonymKey(...)"
    assert "0123" not in repr(copy.copy(key))
    with pytest.raises(InputError) as caught:
        PseudonymKey(b"short")
    assert caught.value.code == "people-key-size"


def test_text_and_words_are_inverse() -> None:
    pair = Words(1, 2**64 - 1)
    assert text_of(pair) == "0000000000000001ffffffffffffffff"
    assert words_of(text_of(pair)) == pair
    with pytest.raises(ValueError, match="32 digits"):
        words_of("abc")
    texts = [pseudonym(KEY, each) for each in ("a", "b", "c")]
    assert of_texts(texts).texts() == texts
    assert len(of_texts([])) == 0
    with pytest.raises(ValueError, match="32 digits"):
        of_texts([*texts, "ab" * 8])


def test_threads_do_not_disturb_each_other() -> None:
    columns = [pa.array([f"{number}-{index}" for index in range(9_000)]) for number in range(4)]
    alone = [pseudonyms(KEY, column) for column in columns]
    agreed: list[bool] = []

    def work(number: int) -> None:
        for _ in range(5):
            found = pseudonyms(KEY, columns[number])
            agreed.append(bool(np.array_equal(found.high, alone[number].high)))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert agreed == [True] * 20
