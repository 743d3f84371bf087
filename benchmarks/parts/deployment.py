"""The deployment under test: a home with the policy set, the people and the choices in it, made once per corpus.

Each run works on a copy, because releases and changed choices are written into it.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from rich.console import Console

from consentry.bootstrap import Deployment, open_deployment
from consentry.corpus.registration import Corpus
from consentry.policy.choice import Seconds
from consentry.policy.matrix import MatrixCompiler
from consentry.policy.vocabulary import Purpose
from consentry.release.basis import Basis, lay_out, rules_for

AT: Seconds = 1_735_689_600
"""2025-01-01: the time of every decision, so that results do not depend on the day."""
PURPOSE = Purpose.TRAIN_GENAI
POLICY = Path(__file__).with_name("policy.toml")
POLICY_NAME = "benchmark"
CORPUS = "network"


def prepare(folder: Path, *, threads: int, log: Console, home: Path | None = None) -> Path:
    """Return a fresh copy of the home that holds people and choices, without a corpus; beside the corpus by default."""
    kept, home = folder / "home-kept", folder / "home" if home is None else home
    if not kept.exists():
        log.print("loading people and choices (once per corpus) ...")
        staged = folder / "home-staged"
        shutil.rmtree(staged, ignore_errors=True)
        load(folder, staged)
        staged.rename(kept)
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(kept, home)
    (home / "consentry.toml").write_text(f"threads = {threads}\n")
    return home


def load(folder: Path, home: Path) -> None:
    """Make a home that holds people and choices. Its ledger is where the environment says, so none is kept of it."""
    deployment = open_deployment(home)
    deployment.control.statements.publish(POLICY.read_text("utf-8"), POLICY.name)
    deployment.control.statements.load_people(folder / "people.toml")
    deployment.import_choices(folder / "choices.parquet", corpus=None)
    deployment.close()


def opened(home: Path) -> Deployment:
    """Open the home with the present known: every event folded, everybody classified."""
    deployment = open_deployment(home)
    deployment.control.desk.present().knowledge(PURPOSE, at=AT)
    return deployment


def basis_of(deployment: Deployment, corpus: Corpus) -> Basis:
    """Return what a release of the corpus rests on."""
    policy, _ = deployment.control.desk.policy(POLICY_NAME)
    compiler = MatrixCompiler(rules_for(policy.rules, decides=policy.decides(PURPOSE)), PURPOSE)
    knowledge = deployment.control.desk.present().knowledge(PURPOSE, at=AT)
    return lay_out(compiler, at=AT, knowledge=knowledge, items=corpus.items, sidecars=corpus.sidecars)
