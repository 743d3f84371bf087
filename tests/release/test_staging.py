"""What is written in stages appears whole or not at all."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from consentry.errors import UnavailableError
from consentry.release.staging import staged


class TestStaging:
    @staticmethod
    def _stop_half_way(target: Path, error: BaseException) -> None:
        with staged(target) as part:
            (part / "half").write_text("x")
            raise error

    def test_an_interruption_leaves_nothing(self, tmp_path: Path) -> None:
        with pytest.raises(KeyboardInterrupt):
            self._stop_half_way(tmp_path / "t", KeyboardInterrupt())
        assert list(tmp_path.iterdir()) == []

    def test_a_full_disk_is_said_and_leaves_nothing(self, tmp_path: Path) -> None:
        with pytest.raises(UnavailableError) as caught:
            self._stop_half_way(tmp_path / "t", OSError(errno.ENOSPC, "no space"))
        assert caught.value.code == "release-disk-full"
        assert list(tmp_path.iterdir()) == []

    def test_what_a_crash_left_is_removed_by_the_next_attempt(self, tmp_path: Path) -> None:
        (tmp_path / ".t.part" / "old").mkdir(parents=True)
        with staged(tmp_path / "t") as part:
            (part / "new").write_text("x")
        assert [path.name for path in (tmp_path / "t").iterdir()] == ["new"]
