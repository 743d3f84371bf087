"""What a sealed release still gives: to whoever asks for its files, and by the tables that were written of it."""

from __future__ import annotations

import json

import pyarrow.parquet as pq

from consentry.bootstrap import Deployment
from consentry.release.data_file import excluded_positions


def handed_out(deployment: Deployment, release: str) -> set[str]:
    """Return the ids that whoever asks for the data files of a release reads."""
    found: set[str] = set()
    for file in deployment.control.releases.data_files(release):
        ids = pq.read_table(file.path, columns=["id"]).column("id").to_pylist()
        out = set(excluded_positions(file).tolist())
        found |= {str(id_) for row, id_ in enumerate(ids) if row not in out}
    return found


def problems(deployment: Deployment, release: str) -> list[str]:
    return [
        f"{each.check}: {each.problem}"
        for each in deployment.control.releases.verify(release, decide=True)
        if each.problem
    ]


def in_table(deployment: Deployment, release: str, version: int) -> int:
    """Return how many rows a table leaves out, by its metadata."""
    folder = deployment.control.desk.tables / release / f"v{version}" / "metadata" / "v1.metadata.json"
    summary = json.loads(folder.read_bytes())["snapshots"][0]["summary"]
    return int(summary["total-records"]) - int(summary["total-position-deletes"])
