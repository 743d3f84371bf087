"""The verbs of Consentry: all that the command line and the service may call.

Each verb is short and keeps the order that makes it safe: read, decide, write, then say so in the ledger. What a verb
returns is plain data; how it is shown is the caller's business.

One `ControlPlane` may be used by several threads: a lock guards the present, and the ledger's head lock guards sealing.
"""

from __future__ import annotations

from dataclasses import dataclass

from consentry.control_plane.acts import Acts
from consentry.control_plane.amendments import AmendmentVerbs
from consentry.control_plane.archive import Archive
from consentry.control_plane.assessments import AssessmentVerbs
from consentry.control_plane.authority_statements import AuthorityStatements
from consentry.control_plane.authority_view import AuthorityView
from consentry.control_plane.casebook import CaseBook
from consentry.control_plane.cases import CaseVerbs
from consentry.control_plane.conditions import ConditionVerbs
from consentry.control_plane.consumption import RowsConsumed
from consentry.control_plane.corrections import CorrectionVerbs
from consentry.control_plane.desk import Desk
from consentry.control_plane.destruction import DestructionVerbs
from consentry.control_plane.handouts import Handouts
from consentry.control_plane.hits import Hits
from consentry.control_plane.lease_reading import LeaseReading
from consentry.control_plane.leases import LeaseVerbs
from consentry.control_plane.look_ups import LookUpVerbs
from consentry.control_plane.losses import Losses
from consentry.control_plane.meant_items import MeantItems
from consentry.control_plane.models import ModelVerbs
from consentry.control_plane.notices import NoticeVerbs
from consentry.control_plane.objection_queue import ObjectionQueue
from consentry.control_plane.objections import Objections
from consentry.control_plane.orders import OrderVerbs
from consentry.control_plane.own_choices import OwnChoices
from consentry.control_plane.own_content import OwnContent
from consentry.control_plane.own_settings import OwnSettings
from consentry.control_plane.parts import Parts
from consentry.control_plane.people import PersonVerbs
from consentry.control_plane.proposals import ProposalVerbs
from consentry.control_plane.public_view import PublicView
from consentry.control_plane.receipts import Receipts
from consentry.control_plane.releases import ReleaseVerbs
from consentry.control_plane.removals import Removals
from consentry.control_plane.reports import ReportVerbs
from consentry.control_plane.statements import StatementVerbs
from consentry.control_plane.trained_on import TrainedOn
from consentry.control_plane.verification import Verification


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPlane:
    """A deployment at work: groups of verbs, around one desk."""

    desk: Desk
    statements: StatementVerbs
    notices: NoticeVerbs
    assessments: AssessmentVerbs
    releases: ReleaseVerbs
    amendments: AmendmentVerbs
    orders: OrderVerbs
    cases: CaseVerbs
    conditions: ConditionVerbs
    corrections: CorrectionVerbs
    reports: ReportVerbs
    leases: LeaseVerbs
    lease_reading: LeaseReading
    models: ModelVerbs
    destruction: DestructionVerbs
    people: PersonVerbs
    own_settings: OwnSettings
    own_choices: OwnChoices
    own_content: OwnContent
    objections: Objections
    objection_queue: ObjectionQueue
    meant_items: MeantItems
    receipts: Receipts
    authority: AuthorityStatements
    authority_view: AuthorityView
    public_view: PublicView
    proposals: ProposalVerbs
    look_ups: LookUpVerbs
    acts: Acts


def compose(parts: Parts) -> ControlPlane:
    """Put the verbs together: each group is given what it calls, and none is called by what it is given."""
    desk = Desk(parts)
    archive, removals, book = Archive(desk), Removals(desk.parts.objects.get), CaseBook(desk)
    hits, own_settings = Hits(desk, archive=archive, removals=removals), OwnSettings(desk)
    handouts = Handouts(desk, archive=archive, removals=removals, hits=hits)
    amendments = AmendmentVerbs(desk, archive=archive, removals=removals, handouts=handouts)
    orders, conditions = OrderVerbs(desk, hits=hits, handouts=handouts), ConditionVerbs(desk, book=book)
    statements = StatementVerbs(desk, archive=archive, amendments=amendments)
    consumption = RowsConsumed(lambda: desk.newest, get=desk.parts.objects.get, removals=removals)
    leases = LeaseVerbs(desk, archive=archive, amendments=amendments, hits=hits, orders=orders)
    losses = Losses(desk, archive=archive, removals=removals, amendments=amendments, consumption=consumption)
    models = ModelVerbs(desk, archive=archive, amendments=amendments, hits=hits, leases=leases, losses=losses)
    destruction, known = DestructionVerbs(desk, archive=archive, models=models), TrainedOn(archive, consumption)
    verification = Verification(desk, archive=archive, destruction=destruction)
    authority_view = AuthorityView(archive, removals=removals, trained_on=known, losses=losses, book=book, hits=hits)
    people = PersonVerbs(desk, archive=archive, removals=removals, trained_on=known, barring=hits.barring)
    return ControlPlane(
        desk=desk,
        statements=statements,
        notices=NoticeVerbs(desk),
        assessments=AssessmentVerbs(desk),
        releases=ReleaseVerbs(
            desk, archive=archive, amendments=amendments, handouts=handouts, verification=verification
        ),
        amendments=amendments,
        orders=orders,
        cases=CaseVerbs(desk, book=book, conditions=conditions, orders=orders),
        conditions=conditions,
        corrections=CorrectionVerbs(desk, book=book),
        reports=ReportVerbs(desk, archive=archive, removals=removals, book=book),
        leases=leases,
        lease_reading=LeaseReading(desk, archive=archive, amendments=amendments, hits=hits, leases=leases),
        models=models,
        destruction=destruction,
        people=people,
        own_settings=own_settings,
        own_choices=OwnChoices(desk, choosing=statements),
        own_content=OwnContent(own_settings, people=people, barring=orders.barring),
        objections=Objections(desk),
        objection_queue=ObjectionQueue(desk, amend=amendments.amend_recorded),
        meant_items=MeantItems(desk, archive=archive, removals=removals),
        receipts=Receipts(desk),
        authority=AuthorityStatements(desk, suspend=orders.suspend, models=authority_view.model_names),
        authority_view=authority_view,
        public_view=PublicView(desk, release=archive.open, barring=hits.barring),
        proposals=ProposalVerbs(desk),
        look_ups=LookUpVerbs(desk, uses_of=people.uses_of),
        acts=Acts(desk),
    )
