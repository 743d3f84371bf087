"""How the demo ends: the pages are opened with the story's data in them, for somebody to look around."""

from __future__ import annotations

import shlex
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq

from consentry.accounts.access import Role
from consentry.accounts.account import new_password
from consentry.accounts.admission import Admission
from consentry.bootstrap import Deployment, open_deployment
from consentry.cli.called import program
from consentry.cli.output import Output
from consentry.corpus.population import read_people_descriptor
from consentry.durable import replace_file
from consentry.settings import SETTINGS_FILE

OFFICER, AUTHORITY = "demo-officer", "demo-authority"
_INTRODUCTION = """\
site_name = "The demo network"
controller_name = "The demo network, which is made up"
controller_contact = "privacy@network.example"
"""
_COUNTRY, _BORN, _GROWN_UP_BY = "country", "birth_year", 2000


def somebody_in(content: Path, country: str) -> str | None:
    """Return the id of a grown-up member whose account says that they live in a country; None if there is none."""
    descriptor = read_people_descriptor(content / "people.toml")
    for file in descriptor.files:
        names = set(pq.read_schema(content / file).names)
        if not {_COUNTRY, _BORN} <= names:
            return None
        table = pq.read_table(content / file, columns=[descriptor.columns["person"], _COUNTRY, _BORN])
        fits = pc.and_(pc.equal(table[_COUNTRY], country), pc.less(table[_BORN], _GROWN_UP_BY))
        found = table.filter(fits).column(0)
        if len(found):
            return str(found[0].as_py())
    return None


def show_pages(home: Path, out: Output, *, person: str | None) -> None:
    """Serve a home of the demo until Ctrl+C, and say which pages to look at first.

    The clock is the real one again: the story is over.
    """
    # Only here: a web framework, which takes long to import.
    from consentry.service import server  # noqa: PLC0415

    deployment = open_deployment(home, embedded=True)
    try:
        password = _accounts(deployment)

        def announce(address: str, _: Path) -> None:
            out.heading("The pages are open, with this story in them")
            if person is not None:
                out.text("A member in the UK decides (good once, for five minutes):")
                out.text(f"  {_link(deployment, address, person)}")
                out.text("Another one, from another terminal:")
                out.text(f"  {again(home, address, person=person)}")
            out.text(f"Staff at work: sign in as {OFFICER}, password {password}")
            out.text(f"  {address}/console")
            out.text(f"The authority: sign in as {AUTHORITY}, with the same password")
            out.text(f"  {address}/authority")
            out.text("What anybody may know:")
            out.text(f"  {address}/transparency")
            out.text("One browser is one person: open each in a private window of its own.")
            out.text("Stop with Ctrl+C. Nobody but this machine can reach them.")
            out.console.file.flush()

        server.serve(deployment, port=0, announce=announce)
    finally:
        deployment.close()


def introduce(home: Path) -> None:
    """Say on the pages who is responsible, whoever serves them, unless somebody has written settings into the home."""
    if not (home / SETTINGS_FILE).exists():
        replace_file(home / SETTINGS_FILE, _INTRODUCTION.encode(), mode=0o600)


def _accounts(deployment: Deployment) -> str:
    password = new_password()
    with deployment.admission() as admission:
        admission.add(OFFICER, roles=frozenset({Role.PRIVACY_OFFICER, Role.ADMINISTRATOR}), password=password)
        enter_authority(admission, password)
    return password


def enter_authority(admission: Admission, password: str) -> None:
    """Give the authority this password, and an account if it has none."""
    if AUTHORITY in {each.handle for each in admission.all()}:
        admission.set_password(AUTHORITY, password)
    else:
        admission.add(AUTHORITY, roles=frozenset({Role.AUTHORITY}), areas=frozenset({"UK"}), password=password)


def again(home: Path, address: str, *, person: str) -> str:
    """Return the command that makes another link for a member, to be run where the demo was."""
    words = ["--home", str(home), "account", "member-link", "--url", address, "--", person]
    return f"{program()} {shlex.join(words)}"


def _link(deployment: Deployment, address: str, person: str) -> str:
    # Only here: what signs takes a quarter of a second to import.
    from consentry.accounts.member_link import LinkKeys, claims_for  # noqa: PLC0415

    settings, now = deployment.settings, deployment.control.desk.parts.clock()
    claims = claims_for(person, audience=settings.audience, now=now, facts={})
    return f"{address}/me/enter?token={LinkKeys(settings.home / 'keys').signed(claims)}"
