"""Settings: who wins, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from consentry.errors import InputError
from consentry.settings import PREFIX, LogLevel, Settings, read_settings, settings_table

DOCUMENT = Path(__file__).parents[1] / "docs" / "settings.md"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(PREFIX + name.upper(), raising=False)


def refused(home: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        read_settings(home)
    return caught.value


def test_defaults_need_no_file_and_no_folder(tmp_path: Path) -> None:
    settings = read_settings(tmp_path / "none")
    assert settings.home == tmp_path / "none"
    assert settings.ledger == f"sqlite:///{tmp_path}/none/ledger.db"
    assert settings.thread_count >= 1
    assert not settings.home.exists()


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "consentry.toml").write_text('threads = 3\nlog_level = "debug"\n', "utf-8")
    monkeypatch.setenv("CONSENTRY_THREADS", "5")
    settings = read_settings(tmp_path)
    assert settings.threads == 5
    assert settings.log_level is LogLevel.DEBUG
    monkeypatch.setenv("CONSENTRY_THREADS", "")
    assert read_settings(tmp_path).threads == 3
    monkeypatch.setenv("consentry_threads", "6")
    monkeypatch.delenv("CONSENTRY_THREADS")
    assert read_settings(tmp_path).threads == 6


def test_an_explicit_home_wins_over_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONSENTRY_HOME", str(tmp_path / "variable"))
    assert read_settings().home == tmp_path / "variable"
    assert read_settings(tmp_path / "option").home == tmp_path / "option"


def test_an_embedded_ledger_is_in_the_home_whatever_anybody_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "consentry.toml").write_text('ledger_url = "sqlite:////elsewhere.db"\nthreads = 3\n', "utf-8")
    monkeypatch.setenv("CONSENTRY_LEDGER_URL", "postgresql+psycopg://somewhere/else")
    settings = read_settings(tmp_path, embedded=True)
    assert settings.ledger == f"sqlite:///{tmp_path}/ledger.db"
    assert settings.threads == 3


def test_the_variable_of_the_command_line_is_no_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONSENTRY_DEBUG", "1")
    assert read_settings(tmp_path) == Settings(home=tmp_path)
    monkeypatch.setenv("CONSENTRY_DEBUGG", "1")
    assert "CONSENTRY_DEBUG" in refused(tmp_path).help


def test_a_relative_home_is_made_absolute_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert read_settings(Path("here")).home == tmp_path / "here"
    assert read_settings().home == tmp_path / "consentry-home"


def test_settings_are_frozen(tmp_path: Path) -> None:
    with pytest.raises(ValidationError):
        read_settings(tmp_path).threads = 2


def test_an_unknown_key_is_refused_with_a_suggestion(tmp_path: Path) -> None:
    (tmp_path / "consentry.toml").write_text("thread = 3\n", "utf-8")
    error = refused(tmp_path)
    assert error.code == "settings-unknown-key"
    assert "`threads`" in error.help
    assert error.where == str(tmp_path / "consentry.toml")


def test_an_unknown_variable_is_refused_with_a_suggestion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONSENTRY_LEDGER_URI", "sqlite:///x")
    error = refused(tmp_path)
    assert error.code == "settings-unknown-key"
    assert "`CONSENTRY_LEDGER_URL`" in error.help


def test_variables_of_the_tests_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONSENTRY_TEST_ANYTHING", "1")
    assert read_settings(tmp_path) == Settings(home=tmp_path)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('home = "/elsewhere"', "settings-home-in-file"),
        ("threads = ", "settings-syntax"),
        ("threads = 1\nthreads = 2", "settings-syntax"),
        ("threads = -1", "settings-bad-value"),
        ("threads = [1]", "settings-bad-value"),
        ('log_level = "loud"', "settings-bad-value"),
        ('ledger_url = "mysql://x"', "settings-bad-value"),
        ('oidc_issuer = "http://login.example"', "settings-bad-value"),
        ('member_issuer = "login.example"', "settings-bad-value"),
        ('site_url = "http://consentry.example"', "settings-bad-value"),
        ('site_url = "https://[x"', "settings-bad-value"),
        ("ledger_timeout_s = 0", "settings-bad-value"),
        ("ledger_timeout_s = nan", "settings-bad-value"),
        ("[ledger]\nurl = 'x'", "settings-unknown-key"),
    ],
)
def test_bad_settings_are_refused(tmp_path: Path, text: str, code: str) -> None:
    (tmp_path / "consentry.toml").write_text(text, "utf-8")
    error = refused(tmp_path)
    assert error.code == code
    assert error.help
    assert str(tmp_path / "consentry.toml") in (error.where or "")


def test_an_address_that_only_this_machine_reaches_needs_no_tls(tmp_path: Path) -> None:
    for address in ("https://login.example", "http://127.0.0.1:9", "http://[::1]:9", "http://localhost"):
        assert Settings(home=tmp_path, oidc_issuer=address, site_url=address).oidc_issuer == address


def test_bytes_that_are_not_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "consentry.toml").write_bytes(b"log_level = '\xff'")
    assert refused(tmp_path).code == "settings-syntax"


def test_a_folder_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "consentry.toml").mkdir()
    assert refused(tmp_path).code == "settings-unreadable"


def test_a_password_is_never_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONSENTRY_LEDGER_URL", "postgresql+psycopg://ann:hunter2@localhost/ledger")
    assert "hunter2" not in repr(read_settings(tmp_path))
    monkeypatch.setenv("CONSENTRY_LEDGER_URL", "postgresql://ann:hunter2@localhost/ledger")
    error = refused(tmp_path)
    assert error.where == "CONSENTRY_LEDGER_URL"
    assert "hunter2" not in str(error) + error.help


def test_every_setting_is_documented() -> None:
    assert settings_table() in DOCUMENT.read_text("utf-8"), f"docs/settings.md needs this table:\n{settings_table()}"
