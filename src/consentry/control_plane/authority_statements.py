"""What an authority files as a signed statement: concerns, suspensions, and that its own orders may be lifted.

The document with statement, signature and key is stored first; the append is the COMMIT POINT: what the statement says
and what it does (a case, an order) are in the ledger together, or nothing is. A crash before leaves an object that
nothing names.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from consentry.control_plane.desk import Desk
from consentry.control_plane.once_recorded import once_recorded
from consentry.control_plane.wording import is_name, require_texts
from consentry.digests import Digest, canonical_json
from consentry.errors import ConflictError, InputError, NotFoundError, PolicyError, StateError
from consentry.ledger.case_events import CaseOpened, Handle
from consentry.ledger.events import Body
from consentry.ledger.oversight_events import Origin
from consentry.ledger.statement_events import Says, StatementFiled
from consentry.oversight.authority_statement import (
    KEPT_FORMAT,
    AuthorityStatement,
    Signatory,
    check,
    require_own_areas,
)
from consentry.oversight.case import Case
from consentry.oversight.jurisdiction import case_concerns
from consentry.oversight.order import Order, Scope, in_words
from consentry.public_key import key_id, verify_signature


class Suspend(Protocol):
    """Puts an order in force; `along` says by its name what goes into the ledger with it."""

    def __call__(
        self,
        scope: Scope,
        *,
        case: str,
        origin: Origin,
        reference: str,
        by: Handle | None,
        along: Callable[[str], Sequence[Body]] | None,
    ) -> Order:
        """Return the order."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Filed:
    """What became of a statement: the case, the orders that it issued or freed, and where it is kept."""

    case: str
    says: Says
    orders: tuple[str, ...]
    document: Digest


class AuthorityStatements:
    """Verbs of authorities."""

    def __init__(self, desk: Desk, *, suspend: Suspend, models: Callable[[frozenset[str]], frozenset[str]]) -> None:
        self._desk = desk
        self._models = models
        self._suspend = suspend

    def draft(
        self, says: Says, *, who: Signatory, case: str, reference: str, scope: Scope, text: str = ""
    ) -> AuthorityStatement:
        """Return a statement of now for an authority to sign. Nothing is recorded.

        One that orders may be lifted names those of theirs that are in force in the case.

        Raises:
            NotFoundError: the case does not concern them.
            InputError: it could not be taken.
        """
        orders: tuple[str, ...] = ()
        if says is not Says.MAY_BE_LIFTED:
            _require_scope(scope, who)
        else:
            with self._desk.lock:
                self._desk.present()
                found = self._case(case, who)
            orders = () if found is None else _waiting(found, who)
        made = self._made(says, who, case=case, reference=reference, scope=scope, text=text, orders=orders)
        self._check(made, who, signed=True)
        return made

    def _made(self, says: Says, who: Signatory, **more: Any) -> AuthorityStatement:
        parts = self._desk.parts
        return AuthorityStatement(says=says, to=parts.signer.key_id, by=who.handle, at=parts.clock(), **more)

    def file(self, content: bytes, signature: bytes, *, who: Signatory) -> Filed:
        """Take a signed statement, and do what it says.

        Raises:
            StateError: the account has no key, the signature is wrong, or the statement was made for somebody else, by
                somebody else, at another time.
            ConflictError: it was filed before.
            InputError: it says something that cannot be.
            NotFoundError: its case does not concern them.
        """
        if who.key is None:
            raise StateError(
                "statement-no-key",
                f"account `{who.handle}` has no key",
                help="an administrator adds it: consentry account key-of HANDLE FILE",
            )
        if not verify_signature(who.key, signature=signature, content=content):
            raise StateError(
                "statement-signature",
                f"the signature is not by the key of `{who.handle}`, or not of these bytes",
                help="sign the file as it is: openssl pkeyutl -sign -rawin -inkey KEY -in FILE -out SIGNATURE",
            )
        statement = AuthorityStatement.from_bytes(content)
        self._check(statement, who, signed=True)
        return self._filed(statement, signature=signature, who=who)

    def raise_concern(self, *, who: Signatory, case: str, reference: str, scope: Scope, text: str = "") -> Filed:
        """Take a concern that nobody signed: whoever signed in said it. Nothing is suspended by it.

        It only opens a case, so that sent twice it is there once; what is added to a case is signed.

        Raises:
            ConflictError: there is a case of this name, which concerns them.
            NotFoundError, InputError: as `draft`.
        """
        statement = self._made(Says.CONCERN, who, case=case, reference=reference, scope=scope, text=text)
        self._check(statement, who, signed=False)
        return self._filed(statement, signature=None, who=who)

    def _check(self, statement: AuthorityStatement, who: Signatory, *, signed: bool) -> None:
        parts = self._desk.parts
        now = parts.clock()
        check(statement, who, to=parts.signer.key_id, now=now)
        require_texts(reference=statement.reference)
        if not is_name(statement.case):
            raise InputError(
                "case-name",
                "this is no name of a case",
                help="use lower-case letters, digits and single hyphens",
            )
        if statement.says is not Says.MAY_BE_LIFTED:
            require_own_areas(statement.scope, who, now=now)
            self._require_models(statement.scope, who)
        with self._desk.lock:
            self._desk.present()
            self._require_case(statement, who, signed=signed)

    def _require_models(self, scope: Scope, who: Signatory) -> None:
        """Refuse models that were not trained on content of their jurisdictions, without saying which are."""
        unknown = sorted(scope.models - self._models(who.areas)) if scope.models else []
        if unknown:
            raise PolicyError(
                "order-unknown-model",
                f"no model `{unknown[0]}` was trained on content of the jurisdictions of `{who.handle}`",
                help="the page of releases and models has those that were",
            )

    def _require_case(self, statement: AuthorityStatement, who: Signatory, *, signed: bool) -> Case | None:
        """Return the case of a statement, None if it opens one. The caller holds the lock."""
        case = self._case(statement.case, who)
        if case is not None and not signed:
            raise ConflictError(
                "case-known",
                f"there is a case `{case.case}`",
                help="give another name, or sign the concern: a signed one can be added to a case",
            )
        if case is None and statement.says is Says.MAY_BE_LIFTED:
            raise _unknown(statement.case, who)
        if case is None:
            return None
        case.require_open()
        # What nobody signed can be signed afterwards, to the byte.
        if any(each.body.statement == statement.digest and each.body.key is not None for each in case.statements):
            raise ConflictError("statement-filed-before", "this statement was filed before", help="its case shows it")
        free = _waiting(case, who)
        if wrong := [order for order in statement.orders if order not in free]:
            raise InputError(
                "statement-orders",
                f"`{wrong[0]}` is no order in force that waits for a signature of `{who.handle}`",
                help=f"such orders: {', '.join(free) or 'none'}",
            )
        return case

    def _case(self, name: str, who: Signatory) -> Case | None:
        """Return a case that concerns an authority; None for a new name that it may take.

        Raises:
            NotFoundError: any other name, so that none says which cases of others there are.
        """
        overseen = self._desk.newest.overseen
        found = overseen.cases.get(name)
        now = self._desk.parts.clock()
        if found is not None and case_concerns(found, overseen.orders.of(name), areas=who.areas, now=now):
            return found
        if found is not None or not name.startswith(f"{who.handle}-"):
            raise _unknown(name, who)
        return None

    def _filed(self, statement: AuthorityStatement, *, signature: bytes | None, who: Signatory) -> Filed:
        content = statement.to_bytes()
        document = self._desk.parts.objects.put(
            canonical_json(
                {
                    "format": KEPT_FORMAT,
                    "statement": base64.b64encode(content).decode(),
                    "signature": None if signature is None else base64.b64encode(signature).decode(),
                    "key": None if signature is None or who.key is None else base64.b64encode(who.key).decode(),
                }
            )
        )

        def said(*orders: str) -> StatementFiled:
            return StatementFiled(
                case=statement.case,
                says=statement.says,
                orders=orders,
                areas=tuple(sorted(statement.scope.areas)),
                reference=statement.reference,
                statement=statement.digest,
                document=document,
                key=None if signature is None or who.key is None else key_id(who.key),
                by=who.handle,
            )

        orders = statement.orders
        if statement.says is Says.SUSPEND:
            orders = (self._suspended(statement, said, who=who).order,)
        else:
            self._say(statement, said(*orders), who=who)
        return Filed(case=statement.case, says=statement.says, orders=orders, document=document)

    def _suspended(
        self, statement: AuthorityStatement, said: Callable[[str], StatementFiled], *, who: Signatory
    ) -> Order:
        def along(order: str) -> Sequence[Body]:
            # The head is held here: of two who file the same, the second is refused.
            self._require_case(statement, who, signed=True)
            return [said(order)]

        return self._suspend(
            statement.scope,
            case=statement.case,
            origin=Origin.AUTHORITY,
            reference=statement.reference,
            by=who.handle,
            along=along,
        )

    def _say(self, statement: AuthorityStatement, body: StatementFiled, *, who: Signatory) -> None:
        desk = self._desk
        with desk.at_head() as session:
            opening: list[Body] = []
            if self._require_case(statement, who, signed=body.key is not None) is None:
                title = f"concern: {in_words(statement.scope)}"
                opening = [CaseOpened(case=body.case, title=title, reference=body.reference, by=body.by)]
            positions = session.append([*opening, body])
        desk.write_down(positions[-1])
        with once_recorded():
            desk.present()


def _waiting(case: Case, who: Signatory) -> tuple[str, ...]:
    """Return the orders in force that wait for a signature of this account."""
    return tuple(order for order, missing in case.unsigned().items() if who.handle in missing)


def _require_scope(scope: Scope, who: Signatory) -> None:
    """Refuse a scope that names nothing, as where staff suspend: it is everything, which no authority can say."""
    if scope == Scope():
        raise InputError(
            "order-scope",
            "an empty scope is everything",
            help=f"name places inside {', '.join(sorted(who.areas))}",
        )


def _unknown(name: str, who: Signatory) -> NotFoundError:
    return NotFoundError(
        "case-unknown",
        f"no case `{name}` concerns `{who.handle}`",
        help=f"a new case has a name that begins with `{who.handle}-`",
    )
