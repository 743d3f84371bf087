"""Destruction: the copies of a withdrawn release, or a withdrawn model, are deleted, and a signed statement says so.

1. Every file in the folder is listed with its digest: the plan, an object.
2. The event `destruction.begun` names the plan. From here on it can be finished whatever happens.
3. The files are deleted, each only if it is still what was listed; then the empty folders.
4. The certificate is signed, and the event `destruction.certified` names it. COMMIT POINT.

Interrupted, the same command goes on with the plan that was begun, in the folder it was begun in.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from consentry.control_plane.archive import Archive
from consentry.control_plane.desk import Desk
from consentry.control_plane.model_story import left_json, unrecorded_json
from consentry.control_plane.models import ModelVerbs, require_reason
from consentry.control_plane.once_recorded import once_recorded
from consentry.control_plane.wording import require_handle
from consentry.corpus.registration import open_corpus
from consentry.digests import Digest, NotPlainError, canonical_json, digest_file, plain_files
from consentry.durable import sync
from consentry.errors import ConsentryError, InputError, IntegrityError, StateError
from consentry.ledger.lineage_events import Destroyed, DestructionBegun, DestructionCertified, ModelSaidGone
from consentry.oversight.destruction import Destruction, Listed, Plan, damaged, digests_in
from consentry.progress import Progress
from consentry.release.manifest import envelope, open_envelope, pre_authentication

PAYLOAD_TYPE = "application/vnd.consentry.destruction+json"

FORMAT = "consentry/destruction/v3"
"""Version 1 had no `known`: the weights that were known of a model, and whether they were deleted. Version 2 had no
`recorded`: whether any were known when it was withdrawn."""


class DestructionVerbs:
    """Verbs that delete, and prove it."""

    def __init__(self, desk: Desk, *, archive: Archive, models: ModelVerbs) -> None:
        self.desk = desk
        self.archive = archive
        self.models = models

    def destroy(
        self, what: Destroyed, name: str, *, folder: Path, by: str, progress: Progress | None = None
    ) -> dict[str, Any]:
        """Delete every file in a folder that holds a withdrawn release or model, and certify it.

        Raises:
            StateError: the release or model was not withdrawn; or files came to the folder meanwhile.
            InputError: a folder that holds something else, such as the deployment or the content of a corpus.
            IntegrityError: a file changed since it was listed.
        """
        require_handle(by)
        withdrawn = self._require_withdrawn(what, name)
        folder = folder.absolute()
        begun = self.desk.present().overseen.destructions.open(what, name)
        if begun is None:
            plan = self._plan(what, name, folder)
            document = self.desk.parts.objects.put(plan.to_bytes())
            self.models.say(DestructionBegun(what=what, name=name, plan=document, files=len(plan.files), by=by))
            begun = self.desk.newest.overseen.destructions.open(what, name)
            assert begun is not None, "what was begun is open"
        with once_recorded("perhaps it is not done yet, and the same command goes on with it"):
            return self._carry_out(begun, folder, by=by, withdrawn=withdrawn, progress=progress)

    def _carry_out(
        self, begun: Destruction, folder: Path, *, by: str, withdrawn: int, progress: Progress | None
    ) -> dict[str, Any]:
        plan = Plan.from_bytes(self.desk.parts.objects.get(begun.plan))
        if plan.folder != str(folder):
            raise InputError(
                "destruction-other-folder",
                f"another destruction was begun, in `{plan.folder}`",
                help="finish that one first: give the same command with its folder",
            )
        _delete(plan, folder, progress=progress)
        certificate = self._certify(plan, begun, by=by, withdrawn=withdrawn)
        return {
            "of": str(plan.what),
            "name": plan.name,
            "certificate": certificate,
            "files": len(plan.files),
            "bytes": sum(file.size for file in plan.files),
            **(self._left(plan.name) if plan.what is Destroyed.MODEL else {"left": [], "unrecorded": None}),
        }

    def _certify(self, plan: Plan, begun: Destruction, *, by: str, withdrawn: int) -> Digest:
        """Sign what was deleted, and name it in the ledger."""
        known, recorded = self._known(plan), self._was_recorded(plan)
        certificate = self._certificate(plan, begun, by=by, withdrawn=withdrawn, known=known, recorded=recorded)
        self.models.say(
            DestructionCertified(
                what=plan.what,
                name=plan.name,
                plan=begun.plan,
                certificate=certificate,
                deleted=tuple(digest for digest, (_, how) in known.items() if how == "here"),
                recorded=recorded,
                by=by,
            )
        )
        return certificate

    def say_gone(self, name: str, *, reason: str, by: str) -> dict[str, Any]:
        """Say that known weights of a withdrawn model are gone which no certificate names: two people have to.

        Of a model of which none were known when it was withdrawn they say that all there was is gone.

        Raises:
            StateError: the model was not withdrawn, nothing is left of it, or the same person said so before.
            InputError: no reason is given.
        """
        require_handle(by)
        require_reason(reason, "weights that nobody saw deleted are gone for a reason, and none was given")
        self._require_withdrawn(Destroyed.MODEL, name)
        with self.desk.at_head() as session:
            lineage = self.desk.newest.overseen.lineage
            left, unrecorded = tuple(lineage.left_of(name)), unrecorded_json(lineage, name)
            new = any(by not in lineage.remains.said_by(name, each) for each in left)
            new = new or (unrecorded is not None and by not in unrecorded["said_gone_by"])
            if new:
                (position,) = session.append([ModelSaidGone(model=name, digests=left, reason=reason, by=by)])
        if not left and unrecorded is None:
            raise StateError(
                "model-nothing-left", f"no weights of model `{name}` are known to be left", help="nothing is left to do"
            )
        if not new:
            raise StateError(
                "model-approved-before", f"`{by}` said so before", help="another person has to say so as well"
            )
        self.desk.write_down(position)
        with once_recorded():
            return {"model": name, "position": position, **self._left(name)}

    def _left(self, name: str) -> dict[str, Any]:
        lineage = self.desk.present().overseen.lineage
        return {"left": left_json(lineage, name), "unrecorded": unrecorded_json(lineage, name)}

    def _was_recorded(self, plan: Plan) -> bool | None:
        """Say whether weights of a model were known when it was withdrawn; None of a release."""
        if plan.what is not Destroyed.MODEL:
            return None
        return self.desk.present().overseen.lineage.remains.unrecorded(plan.name) is None

    def _known(self, plan: Plan) -> dict[Digest, tuple[str, str]]:
        """Return the known weights of a model: as what, and whether they are deleted `here`, `before`, or `not`."""
        if plan.what is not Destroyed.MODEL:
            return {}
        lineage, here = self.desk.present().overseen.lineage, digests_in(plan.files)
        left = lineage.left_of(plan.name)
        return {
            digest: (what, "here" if digest in here else "not" if digest in left else "before")
            for digest, what in lineage.known_of(plan.name).items()
        }

    def _require_withdrawn(self, what: Destroyed, name: str) -> int:
        if what is Destroyed.RELEASE:
            withdrawn = self.archive.sealed_as(name).withdrawn
            position = None if withdrawn is None else withdrawn.position
        else:
            left = self.models.get(name).withdrawn
            position = None if left is None else left.position
        if position is None:
            raise StateError(
                "release-not-withdrawn" if what is Destroyed.RELEASE else "model-not-withdrawn",
                f"{what} `{name}` is not withdrawn: somebody may be using it",
                help=f"withdraw it first: consentry {what} withdraw {name}",
            )
        return position

    def _plan(self, what: Destroyed, name: str, folder: Path) -> Plan:
        self._check_folder(folder)
        files = tuple(
            Listed(path=path.relative_to(folder).as_posix(), size=path.stat().st_size, digest=digest_file(path))
            for path in _plain_files(folder)
        )
        if not files:
            raise InputError("destruction-nothing", f"there is no file in `{folder}`", help="name the folder to delete")
        return Plan(what=what, name=name, folder=str(folder), files=files)

    def _check_folder(self, folder: Path) -> None:
        """Refuse a folder in which something lies that must not be deleted with it."""
        if not folder.is_dir() or folder.is_symlink():
            raise InputError(
                "destruction-folder", f"`{folder}` is no folder", help="name the folder that holds what is to go"
            )
        real, home = folder.resolve(), self.desk.parts.home.resolve()
        kept = {"this deployment": [home]}
        for name in self.desk.present().state.corpora:
            try:
                corpus = open_corpus(self.desk.corpora, name)
            except ConsentryError:
                continue
            kept[f"corpus `{name}`"] = [corpus.path(sidecar).resolve() for sidecar in corpus.sidecars]
        inside = [what for what, paths in kept.items() if any(path.is_relative_to(real) for path in paths)]
        if inside or real.is_relative_to(home):
            raise InputError(
                "destruction-folder-in-use",
                f"`{folder}` holds {', '.join(inside) or 'a part of this deployment'}",
                help="move what is to be deleted to a folder of its own",
            )

    def _certificate(
        self,
        plan: Plan,
        begun: Destruction,
        *,
        by: str,
        withdrawn: int,
        known: Mapping[Digest, tuple[str, str]],
        recorded: bool | None,
    ) -> Digest:
        payload = canonical_json(
            {
                "format": FORMAT,
                "of": str(plan.what),
                "name": plan.name,
                "folder": plan.folder,
                "files": [asdict(file) for file in plan.files],
                "known": [{"digest": each, "as": what, "deleted": how} for each, (what, how) in known.items()],
                "recorded": recorded,
                "plan": begun.plan,
                "withdrawn_at_position": withdrawn,
                "begun": {"at": begun.at, "by": begun.by},
                "destroyed": {"at": self.desk.parts.clock(), "by": by},
            }
        )
        signer = self.desk.parts.signer
        signature = signer.sign(pre_authentication(payload, PAYLOAD_TYPE))
        return self.desk.parts.objects.put(
            envelope(payload, key_id=signer.key_id, signature=signature, kind=PAYLOAD_TYPE)
        )

    def certificates(self, what: Destroyed, name: str) -> list[dict[str, Any]]:
        """Return the certificates of a release or a model, oldest first, each with what is wrong with it, if anything.

        `envelope` is what is given away: whoever has the public key of the deployment can check it.
        """
        if what is Destroyed.RELEASE:
            self.archive.sealed_as(name)
        else:
            self.models.get(name)
        found = []
        for each in self.desk.present().overseen.destructions.of(what, name):
            if each.certificate is None:
                continue
            body: dict[str, Any] = {"certificate": each.certificate, "files": each.files, "by": each.by}
            try:
                content = self.desk.parts.objects.get(each.certificate)
                payload, key_id, signature = open_envelope(content, PAYLOAD_TYPE)
                statement = json.loads(payload)
                body |= {"envelope": content.decode(), "statement": statement, "problem": ""}
                ours = self.desk.parts.check_signature(key_id, signature, pre_authentication(payload, PAYLOAD_TYPE))
                if not ours or (statement["plan"], statement["name"]) != (each.plan, name):
                    raise damaged("the certificate is not by a key of this deployment, or about something else")
            except ConsentryError as error:
                body |= {"problem": error.message, "code": error.code}
            found.append(body)
        return found


def _plain_files(folder: Path) -> list[Path]:
    try:
        return sorted(plain_files(folder))
    except NotPlainError as error:
        raise InputError(
            "destruction-not-plain", str(error), help="remove it yourself: what it leads to would not be deleted"
        ) from error


def _delete(plan: Plan, folder: Path, *, progress: Progress | None) -> None:
    """Delete what a plan lists. What is gone already was deleted before."""
    if progress is not None:
        progress.begin("deleting", total=len(plan.files), unit="files")
    for file in plan.files:
        path = folder / file.path
        if path.exists():
            if path.stat().st_size != file.size or digest_file(path) != file.digest:
                raise IntegrityError(
                    "destruction-file-changed",
                    f"`{path}` is not the file that was listed",
                    help="somebody still writes there: stop that, remove the file, and give the command again",
                )
            path.unlink()
            sync(path.parent)
        if progress is not None:
            progress(1)
    if not folder.exists():
        return
    left = _plain_files(folder)
    if left:
        raise StateError(
            "destruction-files-left",
            f"`{left[0]}` came to the folder after it was listed",
            help="move it away and give the command again; then destroy it in its new place",
        )
    for root, _, _ in os.walk(folder, topdown=False):
        Path(root).rmdir()
    sync(folder.parent)
