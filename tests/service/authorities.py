"""Three authorities with their keys, and a browser for each."""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from consentry.bootstrap import Deployment
from consentry.control_plane.plane import ControlPlane
from consentry.ledger.oversight_events import Origin
from consentry.ledger.statement_events import Says
from consentry.oversight.authority_statement import AuthorityStatement, Signatory
from consentry.oversight.order import Scope
from consentry.policy.vocabulary import Purpose
from consentry.public_key import read_public_key
from service.visitor import Visitor, signed_in


@dataclass
class Office:
    """An authority with its key."""

    handle: str
    areas: frozenset[str]
    secret: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    @property
    def public(self) -> bytes:
        return self.secret.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    @property
    def signatory(self) -> Signatory:
        return Signatory(handle=self.handle, areas=self.areas, key=self.public)


ICO, ANPD, CNIL = Office("ico", frozenset({"UK"})), Office("anpd", frozenset({"BR"})), Office("cnil", frozenset({"FR"}))


@dataclass
class Scene:
    deployment: Deployment
    url: str
    release: str

    @property
    def control(self) -> ControlPlane:
        return self.deployment.control

    def visitor(self, handle: str) -> Visitor:
        return signed_in(self.url, handle)

    def key(self) -> bytes:
        return read_public_key((self.deployment.settings.home / "keys" / "signing.pub.pem").read_bytes())


def suspend(control: ControlPlane, case: str, *areas: str, reference: str = "letter") -> None:
    scope = Scope(areas=frozenset(areas), purposes=frozenset({Purpose.TRAIN_GENAI}))
    control.orders.suspend(scope, case=case, origin=Origin.AUTHORITY_REQUEST, reference=reference)


def statement(control: ControlPlane, office: Office, says: Says = Says.SUSPEND, case: str = "") -> AuthorityStatement:
    scope = Scope() if says is Says.MAY_BE_LIFTED else Scope(areas=office.areas)
    return control.authority.draft(
        says, who=office.signatory, case=case or f"{office.handle}-1", reference="decision 7", scope=scope
    )
