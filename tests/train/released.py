"""A release to train on: of real posts if a Stack Exchange dump is at hand, of a synthetic network if not.

STACKEXCHANGE_DUMP names the folder of a dump; without it one is looked for in `shared/data` beside the checkout.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from consentry.bootstrap import Deployment, open_deployment
from consentry.policy.library import shipped
from consentry.policy.vocabulary import Age, Purpose
from consentry.release.data_file import excluded_positions
from training.small_server import SmallPlane

POLICY = "august-2024"
_BESIDE = Path(__file__).parents[3] / "shared" / "data" / "stackexchange" / "conlang.meta"


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """A deployment and the name of a release in it."""

    home: Path
    name: str

    def open(self) -> Deployment:
        """Open the deployment."""
        return open_deployment(self.home)


def dump() -> Path | None:
    """Return the folder of a dump, if there is one."""
    named = os.environ.get("STACKEXCHANGE_DUMP")
    return Path(named) if named else _BESIDE if _BESIDE.is_dir() else None


def make(folder: Path) -> Released:
    """Make a deployment with one release in it."""
    home, content = folder / "home", folder / "content"
    deployment = open_deployment(home)
    found = dump()
    if found is None:
        deployment.generate_network(content, people=400, items=3000, seed=7)
    else:
        deployment.import_stackexchange(found, content, age=Age.ADULT)
    control = deployment.control
    control.load_people(content / "people.toml")
    corpus = control.register_corpus(content / "corpus.toml").corpus.name
    if (content / "choices.csv").exists():
        deployment.import_choices(content / "choices.csv", corpus=corpus)
    control.publish(shipped()[POLICY], POLICY)
    name = control.build(corpus, Purpose.TRAIN_GENAI, policy=POLICY).manifest.release
    deployment.close()
    return Released(home=home, name=name)


def small_plane(released: Released) -> SmallPlane:
    """Return a small control plane that hands a release out."""
    deployment = released.open()
    files = deployment.control.data_files(released.name)
    deployment.close()
    excluded = {index: excluded_positions(file).tolist() for index, file in enumerate(files)}
    return SmallPlane([file.path for file in files], excluded)
