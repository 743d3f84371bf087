"""A corpus of many content files is worked with where a process may have few files open."""

from __future__ import annotations

from end_to_end.network import RawItem, RawPerson, populated
from end_to_end.still_given import problems
from end_to_end.test_story import POLICY, build
from open_files import open_files_left

_FILES, _LEFT = 20, 40
_PEOPLE = [RawPerson(id="ada")]


def test_more_files_are_registered_decided_and_verified_than_arrays_may_be_open() -> None:
    items = [[RawItem(id=f"i{number}", author="ada")] for number in range(_FILES)]
    with open_files_left(_LEFT), populated(items, _PEOPLE, POLICY) as (_, deployment):
        release = build(deployment)
        assert len(deployment.control.releases.open(release).manifest.files) == _FILES
        assert not problems(deployment, release)
