"""A Spark that the settings name, where it is not there: what works on it is in the lane `spark`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from consentry.doctor import installation
from consentry.doctor.examination import examine
from consentry.doctor.finding import State
from consentry.doctor.installation import EXTRAS, get_extra
from consentry.errors import InputError, MissingExtraError
from consentry.runners.local import LocalRunner
from consentry.runners.spark import SparkRunner
from consentry.settings import read_settings
from test_doctor import finding


def test_a_spark_that_is_wanted_needs_its_package_and_java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not [each for each in examine(tmp_path) if each.name == "Spark"]
    monkeypatch.setenv("CONSENTRY_SPARK", "local[2]")
    monkeypatch.setattr(installation, "is_installed", lambda _: False)
    found = finding("Spark", tmp_path)
    assert (found.state, found.remedy) == (State.PROBLEM, get_extra(EXTRAS["spark"]))
    monkeypatch.setattr(installation, "is_installed", lambda _: True)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    assert "no Java" in finding("Spark", tmp_path).found
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.touch(mode=0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert finding("Spark", tmp_path).state is State.OK


@pytest.mark.parametrize(
    "master", ["local[2]", "local", "spark://a:7077,b:7077", "yarn", "k8s://https://x:6443", "local[2,3]"]
)
def test_a_spark_is_named_by_its_master(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, master: str) -> None:
    monkeypatch.setenv("CONSENTRY_SPARK", master)
    assert read_settings(tmp_path).spark == master
    monkeypatch.setenv("CONSENTRY_SPARK", f"x{master}")
    with pytest.raises(InputError, match="must be a Spark master"):
        read_settings(tmp_path)


def test_where_spark_is_wanted_and_not_there_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyspark", None)
    runner = SparkRunner("local[2]", here=LocalRunner(1))
    with pytest.raises(MissingExtraError) as raised:
        runner.each(len, ["a"], took=lambda *_: None)
    assert raised.value.code == "runner-no-spark"
    runner.close()
