"""A test that may be skipped elsewhere fails where everything has to run, but for the reasons in one list."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import skips

TESTS = Path(__file__).parent
BY_ITSELF = "import pytest\ndef test_it():\n    pytest.skip({reason!r})\n"
BY_A_MARK = "import pytest\n@pytest.mark.skipif(True, reason={reason!r})\ndef test_it(): pass\n"
AS_A_WHOLE = "import pytest\npytest.importorskip('no_such_package', reason={reason!r})\ndef test_it(): pass\n"
FAILED = (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED)


def outcome(folder: Path, text: str, *, ci: bool) -> tuple[int, str]:
    (folder / "test_it.py").write_text(text)
    (folder / "pytest.ini").write_text("[pytest]\n")
    environment = {**os.environ, "PYTHONPATH": str(TESTS), "CI": "true" if ci else ""}
    environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    command = [sys.executable, "-P", "-m", "pytest", "-q", "-p", "skips", "-p", "no:cacheprovider", str(folder)]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


@pytest.mark.parametrize("text", [BY_ITSELF, BY_A_MARK, AS_A_WHOLE])
def test_a_reason_that_is_not_on_the_list_fails_where_everything_has_to_run(tmp_path: Path, text: str) -> None:
    text = text.format(reason="no such thing here")
    code, said = outcome(tmp_path, text, ci=True)
    assert code in FAILED
    assert "may not be skipped here" in said
    code, said = outcome(tmp_path, text, ci=False)
    assert code not in FAILED
    assert "1 skipped" in said


def test_a_reason_on_the_list_is_one_there_too(tmp_path: Path) -> None:
    code, said = outcome(tmp_path, BY_A_MARK.format(reason=skips.NO_FULL_DEVICE), ci=True)
    assert (code, "1 skipped" in said) == (0, True)


def test_an_expected_failure_is_no_skip(tmp_path: Path) -> None:
    text = "import pytest\n@pytest.mark.xfail\ndef test_it(): assert 0\n"
    assert outcome(tmp_path, text, ci=True)[0] == 0


def test_every_reason_on_the_list_is_of_a_test() -> None:
    names = [name for name, value in vars(skips).items() if isinstance(value, str) and value in skips.ALLOWED]
    assert len(names) == len(skips.ALLOWED)
    texts = [path.read_text() for path in TESTS.rglob("*.py") if path.name not in ("skips.py", "test_skips.py")]
    assert [name for name in names if not any(name in text for text in texts)] == []
