"""A sidecar that is sent to another process is mapped there, if it is the same one."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path

import pytest

from consentry.bootstrap import Deployment
from consentry.corpus.sidecar import HEAD, load
from consentry.errors import UnavailableError
from end_to_end.test_story import place as place  # noqa: PLC0414 - a fixture


def test_it_is_the_same_one(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    (name,) = deployment.control.desk.present().state.corpora
    for sidecar in deployment.control.desk.corpus(name).sidecars:
        again = pickle.loads(pickle.dumps(sidecar))
        assert (again.pin, again.classes, again.folder) == (sidecar.pin, sidecar.classes, sidecar.folder)
        assert again.person.tolist() == sidecar.person.tolist()
        assert len(pickle.dumps(sidecar)) < 2_000, "where it lies, not what it holds"
        assert copy.copy(sidecar).pin == sidecar.pin


@pytest.mark.parametrize("change", ["gone", "another file", "other classes"])
def test_another_one_is_refused(place: tuple[Path, Deployment], change: str) -> None:
    _, deployment = place
    (name,) = deployment.control.desk.present().state.corpora
    sidecar = deployment.control.desk.corpus(name).sidecars[0]
    sent, head = pickle.dumps(sidecar), sidecar.folder / HEAD
    body = json.loads(head.read_bytes())
    if change == "gone":
        head.unlink()
    else:
        pinned = body["pin" if change == "another file" else "classes"]
        pinned["digest"] = "sha256:" + "0" * 64
        head.write_text(json.dumps(body))
        load(sidecar.folder)
    with pytest.raises(UnavailableError) as raised:
        pickle.loads(sent)
    assert raised.value.code == "corpus-sidecar-elsewhere"
