"""Deployments in which something is suspended: a small one that is made anew, and one as large as a corpus."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from consentry.accounts.access import Role
from consentry.bootstrap import open_deployment
from consentry.policy.library import shipped
from consentry.policy.vocabulary import Purpose
from corpus import Shape, ensure
from parts.deployment import CORPUS, POLICY_NAME, prepare

LOG = Console(stderr=True)
POLICY = "september-2024"
_ISO_3166 = 2


class Deployed(NamedTuple):
    """A deployment under test, with one corpus and one policy set."""

    home: Path
    corpus: str
    policy: str
    people: Path
    """The descriptor of the people table."""

    def build(self) -> str:
        """Build a release as of now."""
        deployment = open_deployment(self.home, embedded=True)
        built = deployment.control.releases.build(self.corpus, Purpose.TRAIN_GENAI, policy=self.policy).manifest
        deployment.close()
        if not built.eligible:
            raise SystemExit("nothing is eligible")
        return built.release

    def countries(self, release: str) -> list[str]:
        """Return the countries whose people's items a release holds, those with the fewest first."""
        deployment = open_deployment(self.home, embedded=True)
        places = deployment.control.releases.open(release).manifest.counts["by_place"]
        deployment.close()
        held = {
            place: each["eligible"] for place, each in places.items() if len(place) == _ISO_3166 and each["eligible"]
        }
        return sorted(held, key=lambda place: held[place])

    def key(self) -> str:
        """Make a key for a program that asks whether something may be used, and return its secret."""
        deployment = open_deployment(self.home, embedded=True)
        with deployment.admission() as admission:
            _, secret = admission.add_key("asks", roles=frozenset({Role.PLATFORM}), by="benchmark")
        deployment.close()
        return secret

    def text_column(self) -> str:
        """Return the column of texts of the corpus."""
        deployment = open_deployment(self.home, embedded=True)
        column = deployment.control.desk.corpus(self.corpus).descriptor.columns["text"]
        deployment.close()
        return column


@contextmanager
def small(items: int) -> Iterator[Deployed]:
    """Yield a deployment with a synthetic network."""
    with tempfile.TemporaryDirectory() as name:
        home = Path(name, "home")
        LOG.print(f"making a network of {items:,} items ...")
        deployment = open_deployment(home, embedded=True)
        deployment.generate_network(home / "content", people=max(2, items // 10), items=items, seed=7)
        deployment.control.statements.register_corpus(home / "content" / "corpus.toml")
        deployment.control.statements.load_people(home / "content" / "people.toml")
        deployment.control.statements.publish(shipped()[POLICY], POLICY)
        deployment.close()
        yield Deployed(home, "synthetic-network", POLICY, home / "content" / "people.toml")


@contextmanager
def large(scale: float, data: Path, where: Path | None) -> Iterator[Deployed]:
    """Yield a deployment with the corpus of `./run bench corpus`, people and choices included."""
    shape = Shape().scaled(scale)
    LOG.print(f"making a deployment of {shape.items:,} items ...")
    folder = ensure(data, shape)
    with tempfile.TemporaryDirectory(dir=where, prefix="suspension-") as name:
        home = prepare(folder, threads=2, log=LOG, home=Path(name, "home"))
        deployment = open_deployment(home, embedded=True)
        deployment.control.statements.register_corpus(folder / "corpus.toml")
        deployment.close()
        yield Deployed(home, CORPUS, POLICY_NAME, folder / "people.toml")
