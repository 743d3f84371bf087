"""An amendment against its release and the one before it: everything that its documents can show."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from pyroaring import BitMap64

from consentry.digests import Digest
from consentry.errors import ConsentryError
from consentry.release.amendment import PAYLOAD_TYPE, Amendment, Noted, damaged, from_object
from consentry.release.builder import manifest_digest
from consentry.release.manifest import open_envelope, pre_authentication
from consentry.release.sealed import CheckSignature, Finding, SealedRelease

Read = Callable[[Digest], bytes]


def check(
    release: SealedRelease, noted: Sequence[Noted], *, read: Read, check_signature: CheckSignature
) -> Iterator[Finding]:
    """Check every amendment of a release: signature, digests, order, and that each only removes.

    Args:
        release: the opened release; its manifest is known to be the ledger's.
        noted: its amendments as the ledger knows them, oldest first.
        read: returns objects, checked against their digests.
        check_signature: knows the deployment's public keys.
    """
    before: dict[int, BitMap64] = {}
    last: Noted | None = None
    for each in noted:
        name = f"amendment {each.number}"
        try:
            before = _check(release, each, last=last, before=before, read=read, check_signature=check_signature)
        except ConsentryError as error:
            yield Finding.of(name, error)
            return
        last = each
        yield Finding(check=name)


def _check(
    release: SealedRelease,
    noted: Noted,
    *,
    last: Noted | None,
    before: dict[int, BitMap64],
    read: Read,
    check_signature: CheckSignature,
) -> dict[int, BitMap64]:
    payload, key_id, signature = open_envelope(read(noted.document), PAYLOAD_TYPE)
    if not check_signature(key_id, signature, pre_authentication(payload, PAYLOAD_TYPE)):
        raise damaged("the signature is not by a key of this deployment")
    amendment = Amendment.from_bytes(payload)
    named = (amendment.release, amendment.manifest, amendment.number, amendment.items, amendment.position)
    manifest = release.manifest
    if named != (manifest.release, manifest_digest(manifest), noted.number, noted.items, noted.position):
        raise damaged("the document is not what the ledger says of it")
    if amendment.before != (None if last is None else last.document):
        raise damaged("it does not follow the amendment before it")
    if noted.position < (manifest.position if last is None else last.position) or noted.position > noted.stands:
        raise damaged("it covers less than what came before it, or what was said after it")
    rows = {index: from_object(read(file.bitmap)) for index, file in amendment.files.items()}
    for index, removed in rows.items():
        _check_rows(release, amendment, index=index, removed=removed)
    if any(removed - rows.get(index, BitMap64()) for index, removed in before.items()):
        raise damaged("it brings back what an amendment before it removed")
    return rows


def _check_rows(release: SealedRelease, amendment: Amendment, *, index: int, removed: BitMap64) -> None:
    file, files = amendment.files[index], release.manifest.files
    if not 0 <= index < len(files) or files[index].pin.path != file.path:
        raise damaged(f"it names `{file.path}`, which is no such file of the release")
    if len(removed) != file.items or (removed and removed.max() >= files[index].pin.rows):
        raise damaged(f"its rows of `{file.path}` are not those it counts, or not rows of the file")
    if files[index].bitmap.cardinality and removed & BitMap64.deserialize(release.bitmap(files[index])):
        raise damaged(f"it removes rows of `{file.path}` that the release never held")
