"""Models: where they come from, where they stand, what is done about those that are affected, and who may serve them.

Where a model stands is worked out anew whenever it is asked for; only what people decide and do is an event.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Any

from consentry.control_plane.amendments import AmendmentVerbs
from consentry.control_plane.archive import Archive
from consentry.control_plane.desk import Desk
from consentry.control_plane.hits import Hits
from consentry.control_plane.leases import LeaseVerbs
from consentry.control_plane.losses import Losses
from consentry.control_plane.model_holding import HeldModels, Seen
from consentry.control_plane.model_standings import ModelStandings
from consentry.control_plane.model_story import became, described, job_json, left_json, loss_json, unrecorded_json
from consentry.control_plane.once_recorded import once_recorded
from consentry.control_plane.wording import require_handle, require_name, require_texts
from consentry.digests import Digest
from consentry.errors import InputError, NotFoundError, StateError, names_there_are
from consentry.ledger.events import Body
from consentry.ledger.lineage_events import (
    ModelRegistered,
    ModelRemedied,
    ModelWithdrawn,
    Remedy,
    RemedyApproved,
    RemedyChosen,
)
from consentry.oversight.lease import Lease
from consentry.oversight.lineage import APPROVALS, TAKE_TWO, TRAINED_ANEW, Choice, Model, Models, Use
from consentry.oversight.model_standing import ModelStanding, Stage, can_take_off
from consentry.oversight.retraining import Shown, other_weights, shown, weights_before

_SHA256 = re.compile(r"sha256:[0-9a-f]{64}")


class ModelVerbs:
    """Verbs about models."""

    def __init__(
        self,
        desk: Desk,
        *,
        archive: Archive,
        amendments: AmendmentVerbs,
        hits: Hits,
        leases: LeaseVerbs,
        losses: Losses,
    ) -> None:
        self.desk = desk
        self.archive = archive
        self.hits = hits
        self.leases = leases
        self.losses = losses
        self.standings = ModelStandings(desk, amendments=amendments, losses=losses)
        self.holding = HeldModels(desk, hits=hits)

    def register(
        self,
        name: str,
        *,
        base: str | None = None,
        releases: Sequence[str] = (),
        leases: Sequence[str] = (),
        digest: Digest | None = None,
    ) -> int:
        """Say what a model comes from, and return the position. Said again, it adds to what was said.

        Raises:
            InputError: no name of a model, or a model that would be built on itself.
            NotFoundError: a release, a lease or a base model that is not known here.
        """
        require_name(name, "model", code="model-name")
        _check_weights(digest)
        for each in releases:
            self.archive.sealed_as(each)
        for each in leases:
            self.leases.get(each)
        if base is not None and name in self.desk.newest.overseen.lineage.ancestry(self.get(base).name):
            raise InputError(
                "model-base-cycle",
                f"model `{name}` would be built on itself, through `{base}`",
                help="name the model that its training began with, or none",
            )
        body = ModelRegistered(model=name, base=base, releases=tuple(releases), leases=tuple(leases), digest=digest)
        return self.say(body)

    def say(self, body: Body) -> int:
        """Put something about a model, or what is destroyed, into the ledger, and return the position."""
        (position,) = self.desk.parts.ledger.append([body])
        self.desk.write_down(position)
        with once_recorded():
            self.desk.present()
        return position

    def get(self, name: str) -> Model:
        """Return a model.

        Raises:
            NotFoundError: nobody ever trained or registered one of this name.
        """
        lineage = self.desk.present().overseen.lineage
        found = lineage.get(name)
        if found is None:
            known = sorted(model.name for model in lineage)
            raise NotFoundError(
                "model-unknown",
                f"no model `{name}`",
                help=names_there_are(known, otherwise="register it: consentry model register"),
            )
        return found

    def standing(self, name: str) -> ModelStanding:
        """Return where a model stands now."""
        self.get(name)
        ((_, stands),) = self.standings.of({name})
        return stands

    def became(self, names: Collection[str]) -> dict[str, dict[str, Any]]:
        """Say what became of models for whoever has content in them: where each stands, since when, by what remedy."""
        return {model.name: became(model, stands) for model, stands in self.standings.of(names)}

    def every(self) -> list[dict[str, Any]]:
        """Say of every model where it stands, until when the next step has to be taken, and what holds it."""
        found = []
        for few in self.standings.in_turns():
            known = self.holding.known()
            found += [self._line(model, stands, known) for model, stands in few]
        return found

    def _line(self, model: Model, stands: ModelStanding, known: Seen | None = None) -> dict[str, Any]:
        said = described(model.name, stands, now=self.desk.parts.clock())
        why = self.holding.reasons(model, stands, known=known)
        return {"model": model.name, "base": model.base, **said, "held": bool(why), "why": why}

    def show(self, name: str) -> dict[str, Any]:
        """Say what a model comes from, where it stands, and how much of what it was trained on has been withdrawn."""
        stands, model = self.standing(name), self.get(name)
        line = self._line(model, stands)
        with self.desk.lock:
            lineage, releases = self.desk.present().overseen.lineage, self.desk.newest.state.releases
        withdrawn = {use.release for use in model.uses if (e := releases.get(use.release)) and e.withdrawn is not None}
        return {
            **line,
            "ancestry": lineage.ancestry(name)[1:],
            "digest": model.digest,
            "withdrawn_since": {**self._withdrawn_since(lineage, name), "releases": sorted(withdrawn)},
            "trained_before": self.holding.trained_before(name),
            "releases": list(dict.fromkeys(use.release for use in model.uses)),
            "jobs": [self._job(lease, use) for use in model.uses if (lease := self._lease(use.lease)) is not None],
            "losses": [loss_json(each) for each in stands.losses],
            "remedies": [each._asdict() for each in model.done],
            "left": left_json(lineage, name) if model.gone else [],
            "unrecorded": unrecorded_json(lineage, name),
            "takes_two": self._takes_two(model, stands.chosen),
            "withdrawn": None if model.withdrawn is None else model.withdrawn._asdict(),
            "destroyed": None if model.destroyed is None else model.destroyed._asdict(),
        }

    def _withdrawn_since(self, lineage: Models, name: str) -> dict[str, int]:
        """Say how much of what a model was trained on left since, and how much nobody can tell."""
        rows: dict[Any, Any] = {}
        unknown: dict[str, int] = {}
        releases: dict[str, None] = {}
        for weights in lineage.made_of(name):
            ancestor = lineage.get(weights.model)
            if ancestor is not None:
                for key, lost in self.losses.rows(ancestor, at=weights.at).items():
                    rows[key] = rows[key] | lost if key in rows else lost
                unknown |= self.losses.not_known(ancestor, at=weights.at)
                releases |= dict.fromkeys(use.release for use in ancestor.uses)
        people, untold = self.losses.people_of(rows, releases)
        return {
            "items": sum(map(len, rows.values())),
            "people": people,
            "items_of_unknown_people": untold,
            "items_not_known": sum(unknown.values()),
        }

    def _lease(self, lease: str | None) -> Lease | None:
        return None if lease is None else self.desk.newest.overseen.leases.get(lease)

    def _job(self, lease: Lease, use: Use) -> dict[str, Any]:
        not_given = self.losses.not_given(use)
        if not lease.model_checkpoints:
            return job_json(lease, (), not_given=not_given)
        newest = max(position for position, _ in lease.model_checkpoints)
        self.hits.foresee([lease.lease])
        with self.desk.lock:
            return job_json(lease, self.hits.hitting_since(lease, newest), not_given=not_given)

    def choose_remedy(self, name: str, remedy: Remedy, *, by: str, reason: str = "") -> ModelStanding:
        """Decide what is done about an affected model.

        Raises:
            StateError: the model is not affected, there is no model any more, or the remedy takes nothing off it.
            InputError: nothing is to be done, and nobody said why.
        """
        require_handle(by)
        if remedy is Remedy.ACCEPT:
            require_reason(reason, "nothing is to be done about the model, and no reason is given")
        elif reason:
            require_texts(reason=reason)
        stands = self.standing(name)
        if stands.stage not in (Stage.AFFECTED, Stage.REMEDY_CHOSEN):
            raise self._not_now(name, "there is nothing to remedy")
        if not any(can_take_off(remedy, each, model=name) for each in stands.losses):
            raise self._not_now(name, f"all that it is marked with came with its bases, and `{remedy}` leaves those")
        self.say(RemedyChosen(model=name, remedy=remedy, reason=reason, by=by))
        with once_recorded():
            return self.standing(name)

    def approve_remedy(self, name: str, *, by: str) -> ModelStanding:
        """Approve what the ledger cannot show: two people have to.

        That nothing is done about an affected model, that its adapter is gone, or that no job of ours trained it anew.

        Raises:
            InputError: no handle of a member of staff.
            StateError: there is nothing to approve, or the same person approved before.
        """
        require_handle(by)
        model, chosen = self.get(name), self._chosen(name)
        if chosen.remedy in TRAINED_ANEW:
            how = self._retrained(model, chosen)
            if how is not Shown.SAID:
                why = "for its training is in the ledger" if how is Shown.BY_A_JOB else "before any training is known"
                raise self._not_now(name, f"`{chosen.remedy}` needs no approval {why}")
            self._require_other_weights(model, chosen)
        if by in chosen.approved:
            raise StateError(
                "model-approved-before",
                f"`{by}` approved this before",
                help=f"{APPROVALS} different people have to approve it",
            )
        self._say_of(chosen, RemedyApproved(model=name, by=by), of=model)
        with once_recorded():
            return self.standing(name)

    def finish_remedy(self, name: str, *, by: str, digest: Digest | None = None) -> ModelStanding:
        """Say that the chosen remedy is done; it covers what was withdrawn before it was chosen.

        Raises:
            StateError: none was chosen; it was not approved; or the model was not trained since.
        """
        require_handle(by)
        _check_weights(digest)
        model, chosen = self.get(name), self._chosen(name)
        how = self._retrained(model, chosen) if chosen.remedy in TRAINED_ANEW else Shown.SAID
        if how is Shown.NOT:
            raise StateError(
                "model-not-retrained",
                f"nothing says that model `{name}` was trained since `{chosen.remedy}` was chosen",
                help="train it under a lease and say what was consumed, or say on what: consentry model register",
            )
        if chosen.remedy in TRAINED_ANEW and how is Shown.SAID:
            self._require_other_weights(model, chosen, finished=digest)
        if how is Shown.BY_A_JOB:
            self._require_not_of_before(model, chosen, digest)
        if how is Shown.SAID and len(chosen.approved) < APPROVALS:
            raise StateError(
                "model-approvals-missing",
                f"{len(chosen.approved)} of {APPROVALS} people approved `{chosen.remedy}` for model `{name}`",
                help=f"let another one approve it: consentry model approve {name} --by WHO",
            )
        done = ModelRemedied(model=name, remedy=chosen.remedy, chosen=chosen.position, digest=digest, by=by)
        self._say_of(chosen, done, of=model)
        with once_recorded():
            return self.standing(name)

    def _takes_two(self, model: Model, chosen: Choice | None) -> bool:
        """Say whether what was chosen is done by the word of two people, as far as is known now."""
        if chosen is None:
            return False
        return chosen.remedy in TAKE_TWO or self._retrained(model, chosen) is Shown.SAID

    def _retrained(self, model: Model, chosen: Choice) -> Shown:
        overseen, shard = self.desk.newest.overseen, chosen.remedy is Remedy.RETRAIN_SHARD

        def covers(jobs: Sequence[Use]) -> bool:
            show = self.losses.covered if shard else self.losses.enough
            return show(model, jobs, before=chosen.position)

        return shown(model, models=overseen.lineage, leases=overseen.leases, since=chosen.position, covers=covers)

    def _require_other_weights(self, model: Model, chosen: Choice, *, finished: Digest | None = None) -> None:
        """Require that the weights are known to be others than before, and to be those that are said at the end."""
        other = other_weights(model, self.desk.newest.overseen.leases, since=chosen.position)
        if other and finished in (None, model.digest):
            return
        shard = chosen.remedy is Remedy.RETRAIN_SHARD
        what = "on the files that it lost items of" if shard else "on half as much as before"
        raise StateError(
            "model-weights-same",
            f"no job of ours trained model `{model.name}` {what} since `{chosen.remedy}` was chosen, and "
            + ("other weights were registered" if other else "no new weights were registered since"),
            help=f"register what it is now: consentry model register {model.name} --digest SHA256",
        )

    def _require_not_of_before(self, model: Model, chosen: Choice, finished: Digest | None) -> None:
        """Require that what a job trained is not said to be what the model was before."""
        if finished in weights_before(model, self.desk.newest.overseen.leases, since=chosen.position):
            raise StateError(
                "model-weights-same",
                f"model `{model.name}` had these weights before `{chosen.remedy}` was chosen",
                help="give the digest of those that it has now, or none",
            )

    def _say_of(self, chosen: Choice, body: RemedyApproved | ModelRemedied, *, of: Model) -> None:
        """Say something about a choice, unless another was made or more was registered: nobody agreed to that."""
        position = None
        with self.desk.at_head() as session:
            model = self.desk.newest.overseen.lineage.get(body.model)
            if model is not None and (model.chosen, _registered(model)) == (chosen, _registered(of)):
                (position,) = session.append([body])
        if position is None:
            raise self._not_now(body.model, "something was said about it at the same time")
        self.desk.write_down(position)

    def _chosen(self, name: str) -> Choice:
        found = self.standing(name).chosen
        if found is None:
            raise self._not_now(name, "no remedy was chosen")
        return found

    def _not_now(self, name: str, why: str) -> StateError:
        stage = self.standing(name).stage
        return StateError("model-not-now", f"model `{name}` is {stage}: {why}", help=f"see consentry model show {name}")

    def withdraw(self, name: str, reason: str, *, by: str) -> int:
        """Say that a model may no longer be served, for good. Return the position.

        Raises:
            InputError: no reason is given.
            StateError: it was withdrawn before.
        """
        require_handle(by)
        require_reason(reason, "a model is withdrawn for a reason, and none was given")
        self.get(name)
        with self.desk.at_head() as session:
            model = self.desk.newest.overseen.lineage.get(name)
            before = None if model is None else model.withdrawn
            if before is None:
                (position,) = session.append([ModelWithdrawn(model=name, reason=reason, by=by)])
        if before is not None:
            raise StateError(
                "model-already-withdrawn",
                f"model `{name}` was withdrawn before, at position {before.position}: `{before.reason}`",
                help="nothing is left to do: nobody may serve it any more",
            )
        self.desk.write_down(position)
        return position

    def may_serve(self, name: str) -> dict[str, Any]:
        """Say whether a model may be served now, and why not if it may not.

        Raises:
            NotFoundError: no such model: nobody knows what it was trained on.
        """
        stands = self.standing(name)
        reasons = self.holding.reasons(self.get(name), stands)
        return {"model": name, "may": not reasons, "reasons": reasons, "stage": str(stands.stage)}


def require_reason(reason: str, missing: str) -> None:
    """Refuse a reason that is none, or holds what does not belong there."""
    if not reason.strip():
        raise InputError(
            "model-reason-missing",
            missing,
            help="say why in a few words, without personal data: they stay in the ledger",
        )
    require_texts(reason=reason)


def _registered(model: Model) -> tuple[object, ...]:
    return model.bases, model.digests, tuple(use for use in model.uses if use.lease is None)


def _check_weights(digest: Digest | None) -> None:
    if digest is not None and _SHA256.fullmatch(digest) is None:
        raise InputError(
            "model-digest", "the digest of the weights is none", help="give `sha256:` and 64 hexadecimal digits"
        )
