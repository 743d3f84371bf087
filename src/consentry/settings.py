"""The settings of a deployment, read once, by `read_settings`.

A deployment is one folder, its *home*: what `--home` names, else `CONSENTRY_HOME`, else `consentry-home` in the working
folder. Of every other setting, the first of these that says something wins:

1. the environment variable `CONSENTRY_<NAME>`, for example `CONSENTRY_THREADS=4`;
2. the key in `consentry.toml` in the home;
3. the default.

A name nobody knows is refused in both places: a setting that is spelled wrong must not silently be the default.
Variables that begin with `CONSENTRY_TEST_` belong to the tests and are left alone, and so are those of training jobs,
`CONSENTRY_URL` and `CONSENTRY_TOKEN`. `CONSENTRY_DEBUG` is read by the
command line, which must be able to show a mistake in here as well.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError

from consentry.errors import InputError
from consentry.exhausted import require_room
from consentry.home_folder import DEFAULT_HOME, HOME_VARIABLE, home_folder
from consentry.toml_file import TomlError, parse, read

SETTINGS_FILE = "consentry.toml"
LEDGER_FILE = "ledger.db"
PREFIX = "CONSENTRY_"
DEBUG_VARIABLE = PREFIX + "DEBUG"
JOB_VARIABLES = (PREFIX + "URL", PREFIX + "TOKEN")
"""Of training jobs (docs/training.md): no settings of a deployment, but often in the same environment."""
FOR_ALL = frozenset(
    {
        "ledger_replica_required",
        "ledger_timeout_s",
        "group_commit_window_ms",
        "threads",
        "spark",
        "log_level",
        "log_format",
        "webhook_private",
    }
)
"""Settings that one environment may give to several platforms. Every other one is of one of them."""
_TESTS_PREFIX = PREFIX + "TEST_"
SQLITE = "sqlite:///"
_STORES = (SQLITE, "postgresql+psycopg://")


class LogLevel(StrEnum):
    """How much is written to the log."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """How the log is written."""

    TEXT = "text"
    JSON = "json"


def _known_store(url: str) -> str:
    if url and not url.startswith(_STORES):
        raise ValueError("must start with " + " or ".join(f"`{store}`" for store in _STORES))
    return url


def _known_master(master: str) -> str:
    if master and not re.fullmatch(r"local(\[(\d+|\*)(,\d+)?\])?|yarn|(spark|k8s)://\S+", master):
        raise ValueError("must be a Spark master, such as `local[4]`, `spark://HOST:7077` or `yarn`")
    return master


def _absolute(path: str) -> str:
    if path and not Path(path).is_absolute():
        raise ValueError("must be an absolute path")
    return path


def _private_address(address: str) -> str:
    """Refuse an address that others could listen to: without TLS, on another machine."""
    parts = urlsplit(address)
    if address and (not parts.hostname or (parts.scheme != "https" and not _is_here(parts))):
        raise ValueError("must start with `https://`")
    return address


def _is_here(parts: SplitResult) -> bool:
    return parts.scheme == "http" and parts.hostname in {"127.0.0.1", "::1", "localhost"}


def _item_address(address: str) -> str:
    if address and (not address.startswith("https://") or "{item}" not in address):
        raise ValueError("must start with `https://` and hold `{item}`")
    return address


class Settings(BaseModel):
    """All settings, frozen. The descriptions are the manual: `settings_table` turns them into docs/settings.md."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    home: Path = Field(description="The folder of the deployment.")
    # Not in `repr`: an address can carry a password.
    ledger_url: Annotated[str, AfterValidator(_known_store)] = Field(
        default="",
        repr=False,
        description="Where the ledger is: `sqlite:///PATH` or `postgresql+psycopg://…`. Empty: `ledger.db` in the "
        "home. An address with a password belongs in the environment, not in the file.",
    )
    acknowledged_folder: Annotated[str, AfterValidator(_absolute)] = Field(
        default="",
        description="A folder outside of the home, on a disk that is not restored with it, where the newest event is "
        "noted a second time: then a whole home that is restored from an older backup is refused. It has to be there. "
        "Best named in the environment: the file in the home is restored with it. Empty: noted in the home alone.",
    )
    ledger_replica_required: bool = Field(
        default=True,
        description="PostgreSQL only: accept no event unless a synchronous replica confirms it. Without one, the loss "
        "of the primary can lose a refusal that was already acknowledged.",
    )
    ledger_timeout_s: float = Field(
        default=30.0, gt=0, le=600, description="How long an append waits for its turn before it gives up."
    )
    group_commit_window_ms: float = Field(
        default=1.0, ge=0, le=1000, description="How long an append waits for others, to be made durable together."
    )
    threads: int = Field(
        default=0, ge=0, le=1024, description="Threads that decide items. 0: as many as this process may use cores."
    )
    spark: Annotated[str, AfterValidator(_known_master)] = Field(
        default="",
        description="The Spark that goes over the items instead of these threads: `local[4]`, `spark://HOST:7077`, "
        "`yarn` or `k8s://…` (docs/spark.md). Empty: none.",
    )
    site_name: str = Field(
        default="Consentry", min_length=1, max_length=60, description="What the pages call this platform."
    )
    item_url: Annotated[str, AfterValidator(_item_address)] = Field(
        default="",
        max_length=500,
        description="Where members see an item on the platform, with `{item}` in place of its id, for example "
        "`https://example.com/posts/{item}`. Empty: ids are shown without a link.",
    )
    site_url: Annotated[str, AfterValidator(_private_address)] = Field(
        default="",
        description="The address by which people reach the pages, with `https://`. OpenID Connect needs it.",
    )
    oidc_issuer: Annotated[str, AfterValidator(_private_address)] = Field(
        default="", description="OpenID Connect: who signs staff and authorities in. Empty: nobody."
    )
    oidc_client_id: str = Field(default="", description="The name of this server at `oidc_issuer`.")
    oidc_client_secret: SecretStr = Field(
        default=SecretStr(""), description="Its secret there; belongs in the environment. Empty: a public client."
    )
    oidc_name_claim: str = Field(
        default="preferred_username", description="The claim that holds the name of an account here."
    )
    member_issuer: Annotated[str, AfterValidator(_private_address)] = Field(
        default="", description="OpenID Connect: who signs members in, with the id of a person as `sub`."
    )
    member_client_id: str = Field(default="", description="The name of this server at `member_issuer`.")
    member_client_secret: SecretStr = Field(
        default=SecretStr(""), description="Its secret there; belongs in the environment."
    )
    controller_name: str = Field(
        default="",
        max_length=200,
        description="Who is responsible for the use of people's content: on the public pages.",
    )
    controller_contact: str = Field(
        default="", max_length=200, description="How to reach them: an address of mail or of a page. Public as well."
    )
    log_level: LogLevel = Field(
        default=LogLevel.WARNING, description="What is written to the log: `debug`, `info`, `warning` or `error`."
    )
    log_format: LogFormat = Field(
        default=LogFormat.TEXT,
        description="How the server writes it: `text`, or `json`, a line for each event and for each request.",
    )
    webhook_private: bool = Field(
        default=False,
        description="Whether webhooks may go to private addresses: this machine, the network it is in.",
    )

    @property
    def ledger(self) -> str:
        """The ledger's address, with the default filled in."""
        return self.ledger_url or f"{SQLITE}{self.home / LEDGER_FILE}"

    @property
    def ledger_file(self) -> Path | None:
        """The file of a ledger in SQLite; None: it is in PostgreSQL."""
        return Path(self.ledger.removeprefix(SQLITE)) if self.ledger.startswith(SQLITE) else None

    @property
    def second_notes(self) -> Path | None:
        """The folder outside of the home where the newest event is noted as well; None: nowhere."""
        return Path(self.acknowledged_folder) if self.acknowledged_folder else None

    @property
    def audience(self) -> str:
        """Whom a link for a member is for: the address of the pages, or their name where no address is set."""
        return self.site_url.rstrip("/") or self.site_name

    @property
    def thread_count(self) -> int:
        """The number of threads, with the default filled in."""
        return self.threads or available_cores()


def read_settings(home: Path | None = None, *, embedded: bool = False) -> Settings:
    """Read the settings of the deployment in `home`; the folder and its settings file need not exist.

    With `embedded`, the ledger is the one in the home, whatever anybody says, and nothing is noted elsewhere.

    Raises:
        InputError: an unknown name, a value that does not fit, or a file that is not TOML.
    """
    folder = home_folder(home)
    path = folder / SETTINGS_FILE
    written = _parse(path)
    _check_names(written, known=_names(), where=str(path))
    variables = {name for name in os.environ if name.startswith(PREFIX) and not name.startswith(_TESTS_PREFIX)}
    known = [HOME_VARIABLE, DEBUG_VARIABLE, *JOB_VARIABLES, *(PREFIX + name.upper() for name in _names())]
    _check_names(variables, known=known, where="environment")
    try:
        own = {"ledger_url": f"{SQLITE}{folder / LEDGER_FILE}", "acknowledged_folder": ""}
        ours = own if embedded else {}
        return Settings.model_validate({**written, **_environment(), **ours, "home": folder})
    except ValidationError as error:
        raise _bad_value(error, path=path) from None


def require_shared_environment() -> None:
    """Refuse an environment whose settings are of one platform where several would read them.

    Raises:
        InputError: it has one: every ledger, or everybody who signs in, would be that one's.
    """
    of_one = sorted(PREFIX + name.upper() for name in _names() if name not in FOR_ALL)
    given = [name for name in of_one if os.environ.get(name)]
    if given:
        raise InputError(
            "platforms-environment",
            f"`{given[0]}` would hold for every platform",
            help="write it into the consentry.toml of the home it is meant for; the home is for its owner only",
            where="environment",
        )


def _parse(path: Path) -> dict[str, Any]:
    try:
        return parse(read(path))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except TomlError as error:
        advice = error.help or "write one `name = value` a line"
        raise InputError("settings-syntax", error.message, help=advice, where=f"{path}:{error.line}") from None
    except OSError as error:
        require_room(error)
        advice = "make it a file that this user can read"
        raise InputError(
            "settings-unreadable", f"not readable: {error.strerror}", help=advice, where=str(path)
        ) from error


def _environment() -> dict[str, str]:
    """Return what the environment says, however its names are capitalised; what is empty says nothing."""
    given = {name.upper(): value for name, value in os.environ.items() if value}
    return {name: given[each] for name in _names() if (each := PREFIX + name.upper()) in given}


def _names() -> list[str]:
    return [name for name in Settings.model_fields if name != "home"]


def _check_names(given: Iterable[str], *, known: Sequence[str], where: str) -> None:
    for name in sorted(given):
        if name == "home":
            advice = f"the file lies inside the home; use --home or {HOME_VARIABLE}"
            raise InputError("settings-home-in-file", "`home` cannot be set here", help=advice, where=where)
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            advice = f"did you mean `{near[0]}`?" if near else "use one of: " + ", ".join(known)
            raise InputError("settings-unknown-key", f"unknown setting `{name}`", help=advice, where=where)


def _bad_value(error: ValidationError, *, path: Path) -> InputError:
    # The value itself is not repeated: it may be an address with a password.
    first = error.errors(include_url=False, include_input=False)[0]
    name = str(first["loc"][0])
    variable = PREFIX + name.upper()
    reason = first["msg"].removeprefix("Value error, ")
    return InputError(
        "settings-bad-value",
        f"`{name}` does not fit: {reason[:1].lower()}{reason[1:]}",
        help=Settings.model_fields[name].description or "",
        where=variable if os.environ.get(variable) else str(path),
    )


def available_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def settings_table() -> str:
    """Return all settings as a Markdown table: the one in docs/settings.md."""
    rows = ["| in `consentry.toml` | in the environment | default | meaning |", "|---|---|---|---|"]
    for name, field in Settings.model_fields.items():
        key = "" if name == "home" else f"`{name}`"
        default = _shown(field.default) if name != "home" else str(DEFAULT_HOME)
        shown = f"`{default.lower() if isinstance(field.default, bool) else default}`" if default else "empty"
        rows.append(f"| {key} | `{PREFIX}{name.upper()}` | {shown} | {field.description} |")
    return "\n".join(rows) + "\n"


def _shown(default: object) -> str:
    return default.get_secret_value() if isinstance(default, SecretStr) else str(default)
