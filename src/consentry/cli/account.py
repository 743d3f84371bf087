"""`consentry account`: who signs in to the pages, and which programs hold a key."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from consentry.accounts.access import Role
from consentry.accounts.account import FOR_EVALUATION, new_password
from consentry.accounts.admission import OF_KEYS, Admission
from consentry.cli.context import Context, pass_context
from consentry.cli.invocation import FILE, Commands
from consentry.policy.choice import SECONDS_PER_DAY
from consentry.public_key import key_id, read_public_key

_OF_ACCOUNTS = [role.value for role in Role if role not in {Role.MEMBER, Role.WORKLOAD, Role.PLATFORM}]
_OF_KEYS = sorted(role.value for role in OF_KEYS)


@click.group(cls=Commands)
def account() -> None:
    """Who signs in to the pages of `consentry serve`, and which programs hold a key.

    Accounts with a password are for trying it out. For real use, let people sign in with your organisation
    (docs/access.md).
    """


@account.command("add")
@click.argument("handle")
@click.option(
    "--role", "roles", multiple=True, required=True, type=click.Choice(_OF_ACCOUNTS), help="What it is; several may be."
)
@click.option("--area", "areas", multiple=True, help="A jurisdiction of an authority, for example UK or EU.")
@click.option("--no-password", is_flag=True, help="Signs in with the organisation only.")
@pass_context
def add(context: Context, handle: str, roles: tuple[str, ...], areas: tuple[str, ...], no_password: bool) -> None:  # noqa: FBT001
    """Make an account. Its password is made up and shown once."""
    context.begin()
    password = "" if no_password else new_password()
    with _admission(context) as admission:
        made = admission.add(handle, roles=frozenset(map(Role, roles)), areas=frozenset(areas), password=password)
    if password:
        context.out.note(FOR_EVALUATION)

    def human() -> None:
        context.out.text(f"Account {made.handle}: {', '.join(sorted(made.roles))}")
        if password:
            context.out.text(f"Password, shown only now: {password}")

    context.out.show(
        {"handle": made.handle, "roles": sorted(made.roles), "areas": sorted(made.areas), "password": password}, human
    )


@account.command("list")
@pass_context
def list_(context: Context) -> None:
    """List the accounts."""
    with _admission(context) as admission:
        rows = [
            {
                "handle": each.handle,
                "roles": sorted(each.roles),
                "areas": sorted(each.areas),
                "signs in": "not any more" if each.disabled else "with a password" if each.password else "elsewhere",
            }
            for each in admission.all()
        ]

    def human() -> None:
        if not rows:
            context.out.hint("No account yet. Make one: consentry account add NAME --role privacy-officer")
            return
        columns = ("handle", "roles", "areas", "signs in")
        context.out.table(
            columns, [[", ".join(v) if isinstance(v := row[each], list) else v for each in columns] for row in rows]
        )

    context.out.show({"accounts": rows}, human)


@account.command("disable")
@click.argument("handle")
@pass_context
def disable(context: Context, handle: str) -> None:
    """Let somebody sign in no more, and end their sessions."""
    with _admission(context) as admission:
        admission.disable(handle)
    context.out.show({"disabled": handle}, lambda: context.out.text(f"{handle} signs in no more."))


@account.command("sign-out")
@click.argument("handle")
@pass_context
def sign_out(context: Context, handle: str) -> None:
    """End every session of an account, wherever it is signed in. It can sign in again."""
    with _admission(context) as admission:
        admission.end_sessions(handle)
    context.out.show({"signed-out": handle}, lambda: context.out.text(f"{handle} is signed in nowhere any more."))


@account.command("roles")
@click.argument("handle")
@click.option("--role", "roles", multiple=True, required=True, type=click.Choice(_OF_ACCOUNTS), help="Several times.")
@click.option("--area", "areas", multiple=True, metavar="CODE", help="Of an authority: a jurisdiction; several times.")
@pass_context
def change_roles(context: Context, handle: str, roles: tuple[str, ...], areas: tuple[str, ...]) -> None:
    """Give an account other roles in place of those it has, or an authority other jurisdictions. Its sessions end."""
    with _admission(context) as admission:
        made = admission.change_roles(handle, roles=frozenset(map(Role, roles)), areas=frozenset(areas))
    body = {"handle": handle, "roles": sorted(made.roles), "areas": sorted(made.areas)}
    context.out.show(body, lambda: context.out.text(f"{handle} is now: {', '.join(body['roles'])}. Sessions ended."))


@account.command("password")
@click.argument("handle")
@pass_context
def password(context: Context, handle: str) -> None:
    """Give an account a new password, which is shown once. Its sessions end."""
    made = new_password()
    with _admission(context) as admission:
        admission.set_password(handle, made)
    context.out.note(FOR_EVALUATION)
    context.out.show(
        {"handle": handle, "password": made}, lambda: context.out.text(f"Password, shown only now: {made}")
    )


@account.command("key-of")
@click.argument("handle")
@click.argument("file", type=FILE)
@pass_context
def key_of(context: Context, handle: str, file: Path) -> None:
    """Let the authority HANDLE sign what it files with the public key in FILE (Ed25519, PEM), and with no other."""
    key = read_public_key(file.read_bytes())
    with _admission(context) as admission:
        admission.set_public_key(handle, key)
    body = {"handle": handle, "key": key_id(key)}
    context.out.show(body, lambda: context.out.text(f"{handle} signs with key {key_id(key)}."))


@account.command("add-key")
@click.argument("name")
@click.option(
    "--role",
    "roles",
    multiple=True,
    type=click.Choice(_OF_KEYS),
    default=(Role.WORKLOAD.value,),
    show_default=True,
    help="What it may do; several may be.",
)
@click.option("--days", type=click.IntRange(1, 3650), help="How long it is good for; without, until it is revoked.")
@pass_context
def add_key(context: Context, name: str, roles: tuple[str, ...], days: int | None) -> None:
    """Make a key for a program. It is shown once; only its digest is kept."""
    expires = None if days is None else context.deployment.control.desk.parts.clock() + days * SECONDS_PER_DAY
    with _admission(context) as admission:
        key, secret = admission.add_key(name, roles=frozenset(map(Role, roles)), by="command-line", expires_at=expires)

    def human() -> None:
        context.out.text(f"Key {key.ident} for {key.name}: {', '.join(sorted(key.roles))}")
        context.out.text(f"Shown only now: {secret}")

    context.out.show({"id": key.ident, "name": key.name, "roles": sorted(key.roles), "key": secret}, human)


@account.command("keys")
@pass_context
def keys(context: Context) -> None:
    """List the keys of programs."""
    now = context.deployment.control.desk.parts.clock()
    with _admission(context) as admission:
        rows = [
            {
                "id": key.ident,
                "name": key.name,
                "roles": sorted(key.roles),
                "made by": key.made_by,
                "state": "revoked"
                if key.revoked_at is not None
                else "expired"
                if key.expires_at is not None and key.expires_at <= now
                else "good",
            }
            for key in admission.all_keys()
        ]

    def human() -> None:
        if not rows:
            context.out.hint("No key yet. Make one: consentry account add-key NAME")
            return
        columns = ("id", "name", "roles", "made by", "state")
        context.out.table(
            columns, [[", ".join(v) if isinstance(v := row[each], list) else v for each in columns] for row in rows]
        )

    context.out.show({"keys": rows}, human)


@account.command("revoke-key")
@click.argument("ident", metavar="ID")
@pass_context
def revoke_key(context: Context, ident: str) -> None:
    """Let a key open nothing any more."""
    with _admission(context) as admission:
        admission.revoke_key(ident)
    context.out.show({"revoked": ident}, lambda: context.out.text(f"Key {ident} opens nothing any more."))


@account.command("member-link")
@click.argument("person")
@click.option("--url", help="The address of the server; without, `site_url` of the settings or this machine.")
@click.option("--name", default="", help="How the page greets them.")
@click.option("--back", default="", help="The https address that leads back to the platform.")
@click.option("--locale", default="", help="The language of the page, for example cy.")
@pass_context
def member_link(context: Context, person: str, url: str | None, name: str, back: str, locale: str) -> None:
    """Make a link with which PERSON, by the platform's id, opens their page: for trying it out.

    It is what the platform's own server makes (docs/embedding.md): good once, for five minutes.
    """
    # Only here: what signs takes a quarter of a second to import, and every command would wait for it.
    from consentry.accounts.member_link import LinkKeys, claims_for  # noqa: PLC0415

    if not person:
        raise click.UsageError("PERSON is empty: give the platform's id of somebody")
    settings, now = context.deployment.settings, context.deployment.control.desk.parts.clock()
    facts = {key: value for key, value in {"name": name, "back": back, "locale": locale}.items() if value}
    claims = claims_for(person, audience=settings.audience, now=now, facts=facts)
    token = LinkKeys(settings.home / "keys").signed(claims)
    base = url or settings.site_url or "http://127.0.0.1:8799"
    link = f"{base.rstrip('/')}/me/enter?token={token}"
    context.out.show({"link": link, "until": claims["exp"]}, lambda: context.out.text(link))


@contextmanager
def _admission(context: Context) -> Iterator[Admission]:
    with context.deployment.admission() as admission:
        yield admission
