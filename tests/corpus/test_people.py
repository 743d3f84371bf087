from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consentry.corpus.people import MISSING, PeopleIndex
from consentry.corpus.pseudonym import PseudonymKey, Pseudonyms, pseudonym, pseudonyms, words
from consentry.corpus.pseudonym_file import Head, PseudonymFile
from consentry.corpus.slot_table import SlotTable, in_order_of_appearance
from consentry.errors import IntegrityError, PeopleError
from skips import NO_FULL_DEVICE

KEY = PseudonymKey(bytes(range(32))).for_people()


def column(ids: list[Any]) -> Pseudonyms:
    kind = pa.int64() if any(isinstance(each, int) for each in ids) else pa.string()
    return pseudonyms(KEY, pa.array(ids, type=kind))


def pairs(high: list[int], low: list[int]) -> Pseudonyms:
    return Pseudonyms(high=np.array(high, dtype=np.uint64), low=np.array(low, dtype=np.uint64))


def test_ordinals_are_given_in_order_of_first_appearance(tmp_path: Path) -> None:
    index = PeopleIndex(tmp_path)
    assert index.assign(column(["b", "a", None, "b", "", "c"])).tolist() == [0, 1, MISSING, 0, MISSING, 2]
    assert index.assign(column(["d", "c", "e", "d"])).tolist() == [3, 2, 4, 3]
    assert index.lookup(column(["x", "e", None, ""])).tolist() == [MISSING, 4, MISSING, MISSING]
    assert len(index) == 5
    assert index.pseudonyms([1, 4]) == [pseudonym(KEY, "a"), pseudonym(KEY, "e")]


def test_an_id_is_the_same_as_integer_text_or_dictionary(tmp_path: Path) -> None:
    index = PeopleIndex(tmp_path)
    numbers = [5, -7, 2**31 - 1, 5]
    texts = [str(number) for number in numbers]
    first = index.assign(pseudonyms(KEY, pa.array(numbers, pa.int64()))).tolist()
    assert first == [0, 1, 2, 0]
    for same in (
        pa.array(numbers, pa.int32()),
        pa.array(texts),
        pa.array(texts, pa.large_string()),
        pa.array(texts).dictionary_encode(),
        pa.array(numbers, pa.int64()).dictionary_encode(),
    ):
        assert index.assign(pseudonyms(KEY, same)).tolist() == first


def test_look_up_of_one_equals_look_up_of_many(tmp_path: Path) -> None:
    index = PeopleIndex(tmp_path)
    ids = [f"person {number}" for number in range(3_000)]
    index.assign(column(ids[:2_000]))
    many = index.lookup(column(ids)).tolist()
    assert [index.lookup_one(*words(KEY, each)) for each in ids] == many
    assert many == [*range(2_000), *[MISSING] * 1_000]


ACTIONS: st.SearchStrategy[Any] = st.one_of(
    st.tuples(st.just("assign"), st.lists(st.none() | st.text("abé\0", max_size=3), max_size=12)),
    st.tuples(st.just("lookup"), st.lists(st.text("abé\0", max_size=3), max_size=12)),
    st.tuples(st.just("forget"), st.lists(st.integers(0, 30), max_size=3)),
    st.tuples(st.just("reopen"), st.just([])),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(ACTIONS, max_size=12))
def test_the_index_behaves_like_a_dictionary(tmp_path_factory: pytest.TempPathFactory, actions: Any) -> None:
    folder = tmp_path_factory.mktemp("people")
    index, other = PeopleIndex(folder), PeopleIndex(folder)
    model: dict[str, int] = {}
    people = 0
    for action, given_values in actions:
        if action == "assign":
            expected = []
            for each in given_values:
                if each and each not in model:
                    model[each] = people
                    people += 1
                expected.append(model[each] if each else MISSING)
            assert index.assign(column(given_values)).tolist() == expected
        elif action == "lookup":
            assert index.lookup(column(given_values)).tolist() == [model.get(each, MISSING) for each in given_values]
        elif action == "forget":
            gone = [ordinal for ordinal in given_values if ordinal < people]
            index.forget(gone)
            model = {each: ordinal for each, ordinal in model.items() if ordinal not in gone}
        else:
            # The other process takes over: it has seen nothing of the above.
            index, other = other, PeopleIndex(folder)
            index.refresh()
        assert len(index) == people


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=40))
def test_keys_that_share_words_are_told_apart(rows: list[tuple[int, int]]) -> None:
    high = np.array([(row[0] << 62) | 5 for row in rows], dtype=np.uint64)
    low = np.array([row[1] for row in rows], dtype=np.uint64)
    first, numbers = in_order_of_appearance(high, low)
    distinct = list(dict.fromkeys(rows))
    assert [rows[row] for row in first.tolist()] == distinct
    assert numbers.tolist() == [distinct.index(row) for row in rows]
    table = SlotTable(seats=0).grown(used=0, seats=max(1, len(distinct)))
    table.insert(high[first], low[first], first=1)
    assert table.find(high, low).tolist() == [distinct.index(row) + 1 for row in rows]
    assert table.find(high, low + np.uint64(9)).tolist() == [0] * len(rows)


def test_the_zero_key_is_a_key_like_any_other(tmp_path: Path) -> None:
    index = PeopleIndex(tmp_path)
    assert index.lookup(pairs([0], [0])).tolist() == [MISSING]
    assert index.lookup_one(0, 0) == MISSING
    assert index.assign(pairs([0, 2**64 - 1, 0], [0, 2**64 - 1, 1])).tolist() == [0, 1, 2]
    assert index.lookup_one(0, 0) == 0
    assert PeopleIndex(tmp_path).lookup(pairs([0, 2**64 - 1, 0], [0, 2**64 - 1, 1])).tolist() == [0, 1, 2]


def test_many_people_survive_growth_and_reopening(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    high, low = rng.integers(0, 2**64, (2, 60_000), dtype=np.uint64)
    index = PeopleIndex(tmp_path)
    for start in range(0, 60_000, 7_000):
        span = slice(start, start + 7_000)
        index.assign(Pseudonyms(high=high[span], low=low[span]))
    everybody = Pseudonyms(high=high, low=low)
    assert np.array_equal(index.lookup(everybody), np.arange(60_000))
    assert np.array_equal(PeopleIndex(tmp_path).lookup(everybody), np.arange(60_000))
    nobody = Pseudonyms(high=high, low=low + np.uint64(1))
    assert (index.lookup(nobody) == MISSING).all()


def test_look_ups_go_on_while_people_are_added(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    high, low = rng.integers(0, 2**64, (2, 40_000), dtype=np.uint64)
    index = PeopleIndex(tmp_path)
    everybody = Pseudonyms(high=high, low=low)
    wrong: list[int] = []
    rounds: list[int] = []
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            known = len(index)
            found = index.lookup(everybody)
            right = np.arange(40_000, dtype=np.uint32)
            wrong.append(int(np.count_nonzero((found != right) & (found != MISSING))))
            wrong.append(int(np.count_nonzero(found[:known] == MISSING)))
            rounds.append(known)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for start in range(0, 40_000, 500):
        span = slice(start, start + 500)
        index.assign(Pseudonyms(high=high[span], low=low[span]))
    stop.set()
    for reader in readers:
        reader.join()
    assert rounds
    assert not any(wrong)


def test_threads_and_processes_never_share_an_ordinal(tmp_path: Path) -> None:
    script = (
        "import sys, pathlib, pyarrow as pa\n"
        "from consentry.corpus.people import PeopleIndex\n"
        "from consentry.corpus.pseudonym import PseudonymKey, pseudonyms\n"
        "index = PeopleIndex(pathlib.Path(sys.argv[1]))\n"
        "key = PseudonymKey(bytes(range(32))).for_people()\n"
        "for start in range(0, 400, 20):\n"
        "    ids = [str(number * int(sys.argv[2])) for number in range(start, start + 20)]\n"
        "    index.assign(pseudonyms(key, pa.array(ids)))\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", script, str(tmp_path), step]) for step in ("2", "3")]
    assert [process.wait(timeout=60) for process in running] == [0, 0]
    everybody = sorted({number * step for step in (2, 3) for number in range(400)})
    found = PeopleIndex(tmp_path).lookup(column(everybody)).tolist()
    assert sorted(found) == list(range(len(everybody)))


def test_a_torn_tail_is_not_read_and_is_overwritten(tmp_path: Path) -> None:
    index = PeopleIndex(tmp_path)
    index.assign(column(["a", "b"]))
    with (tmp_path / "pseudonyms.bin").open("ab") as stream:
        stream.write(b"half a pseudonym and more")
    again = PeopleIndex(tmp_path)
    assert len(again) == 2
    assert again.assign(column(["c", "a"])).tolist() == [2, 0]
    assert (tmp_path / "pseudonyms.bin").stat().st_size == 3 * 16
    assert PeopleIndex(tmp_path).lookup(column(["a", "b", "c"])).tolist() == [0, 1, 2]


def test_killed_anywhere_the_index_holds_what_was_acknowledged(tmp_path: Path) -> None:
    """Kill a writer at each of its file operations; control: the last run is not killed."""
    script = (
        "import sys, pathlib, os, pyarrow as pa\n"
        "from consentry.corpus.people import PeopleIndex\n"
        "from consentry.corpus.pseudonym import PseudonymKey, pseudonyms\n"
        "left = int(sys.argv[2])\n"
        "def stop(event, arguments):\n"
        "    global left\n"
        "    if event in ('open', 'os.rename', 'os.truncate'):\n"
        "        left -= 1\n"
        "        if left < 0:\n"
        "            os._exit(9)\n"
        "index = PeopleIndex(pathlib.Path(sys.argv[1]))\n"
        "key = PseudonymKey(bytes(range(32))).for_people()\n"
        "sys.addaudithook(stop)\n"
        "for number in range(3):\n"
        "    index.assign(pseudonyms(key, pa.array([f'{number}-{each}' for each in range(10)])))\n"
        "    sys.stdout.write('.'); sys.stdout.flush()\n"
        "index.forget([0, 11])\n"
        "sys.stdout.write('.'); sys.stdout.flush()\n"
    )
    ids = [f"{number}-{each}" for number in range(3) for each in range(10)]
    ends = set()
    for allowed in [*range(0, 30, 3), 10_000]:
        folder = tmp_path / str(allowed)
        command = [sys.executable, "-c", script, str(folder), str(allowed)]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
        ends.add(done.returncode)
        acknowledged = min(10 * len(done.stdout), 30)
        found = PeopleIndex(folder).lookup(column(ids)).tolist()
        erased = [ordinal for ordinal in (0, 11) if acknowledged == 30 and found[ordinal] == MISSING]
        assert erased in ([], [0, 11])
        assert erased == [0, 11] or len(done.stdout) < 4
        known = [ordinal for ordinal in range(acknowledged) if ordinal not in erased]
        assert [found[ordinal] for ordinal in known] == known
    assert ends == {0, 9}


def test_an_interrupted_erasure_is_finished(tmp_path: Path) -> None:
    index = PeopleIndex(tmp_path)
    index.assign(column(["a", "b", "c"]))
    file = PseudonymFile(tmp_path)
    head = file.begin_erasure(file.head(), [1])
    again = PeopleIndex(tmp_path)
    assert again.lookup(column(["a", "b", "c"])).tolist() == [0, MISSING, 2]
    assert file.head().erasing == ()
    assert file.head().erasures == head.erasures + 1
    assert PeopleIndex(tmp_path).lookup(column(["a", "b", "c"])).tolist() == [0, MISSING, 2]


def test_an_erased_person_leaves_an_empty_seat(tmp_path: Path) -> None:
    index, elsewhere = PeopleIndex(tmp_path), PeopleIndex(tmp_path)
    index.assign(column(["a", "b", "c"]))
    elsewhere.refresh()
    stored = bytes.fromhex(pseudonym(KEY, "b"))
    assert stored[:8][::-1] in (tmp_path / "pseudonyms.bin").read_bytes()
    index.forget([1, 1])
    index.forget([])
    assert stored[:8][::-1] not in (tmp_path / "pseudonyms.bin").read_bytes()
    assert index.lookup_one(*words(KEY, "b")) == MISSING
    assert index.pseudonyms([1]) != [pseudonym(KEY, "b")]
    assert elsewhere.lookup(column(["b"])).tolist() == [1]
    elsewhere.refresh()
    assert elsewhere.lookup(column(["a", "b", "c"])).tolist() == [0, MISSING, 2]
    # Who comes back is somebody new.
    assert index.assign(column(["b", "c"])).tolist() == [3, 2]


def test_an_unknown_ordinal_cannot_be_erased(tmp_path: Path) -> None:
    index = PeopleIndex(tmp_path)
    index.assign(column(["a"]))
    for wrong in ([0, 1], [-1]):
        with pytest.raises(PeopleError) as caught:
            index.forget(wrong)
        assert caught.value.code == "people-unknown-ordinal"
    assert index.lookup(column(["a"])).tolist() == [0]


def test_when_ordinals_run_out_nobody_is_added(tmp_path: Path) -> None:
    index = PeopleIndex(tmp_path, limit=3)
    index.assign(column(["a", "b"]))
    with pytest.raises(PeopleError) as caught:
        index.assign(column(["c", "d"]))
    assert caught.value.code == "people-too-many"
    assert index.lookup(column(["a", "b", "c", "d"])).tolist() == [0, 1, MISSING, MISSING]
    assert index.assign(column(["d", "a"])).tolist() == [2, 0]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason=NO_FULL_DEVICE)
def test_a_full_disk_adds_nobody(tmp_path: Path) -> None:
    index = PeopleIndex(tmp_path)
    index.assign(column(["a"]))
    content = (tmp_path / "pseudonyms.bin").read_bytes()
    (tmp_path / "pseudonyms.bin").unlink()
    (tmp_path / "pseudonyms.bin").symlink_to("/dev/full")
    with pytest.raises(OSError, match=r"No space left|Invalid argument|Illegal seek"):
        index.assign(column(["b"]))
    (tmp_path / "pseudonyms.bin").unlink()
    (tmp_path / "pseudonyms.bin").write_bytes(content)
    assert index.lookup(column(["a", "b"])).tolist() == [0, MISSING]
    assert index.assign(column(["c"])).tolist() == [1]
    assert PeopleIndex(tmp_path).lookup(column(["a", "b", "c"])).tolist() == [0, MISSING, 1]


def test_damage_is_found(tmp_path: Path) -> None:
    index = PeopleIndex(tmp_path)
    index.assign(column([f"{number}" for number in range(10)]))
    stored, head = tmp_path / "pseudonyms.bin", tmp_path / "index.json"
    content, text = stored.read_bytes(), head.read_bytes()
    flipped = bytes([content[0] ^ 1]) + content[1:]
    for damaged, damaged_head in (
        (flipped, text),
        (content[:-1], text),
        (content, text.replace(b'"people":10', b'"people":9')),
        (content, text[:-5]),
        (content, b"[]"),
    ):
        stored.write_bytes(damaged)
        head.write_bytes(damaged_head)
        with pytest.raises(IntegrityError) as caught:
            PeopleIndex(tmp_path)
        assert caught.value.code == "people-index-damaged"
    stored.unlink()
    head.write_bytes(text)
    with pytest.raises(IntegrityError, match="is gone"):
        PeopleIndex(tmp_path)
    stored.write_bytes(content)
    assert len(PeopleIndex(tmp_path)) == 10


def test_a_new_index_is_empty(tmp_path: Path) -> None:
    index = PeopleIndex(tmp_path / "people")
    assert len(index) == 0
    assert index.lookup(column(["a"])).tolist() == [MISSING]
    assert index.assign(column([])).tolist() == []
    assert PseudonymFile(tmp_path / "people").head() == Head()
    assert list((tmp_path / "people").iterdir()) == []
