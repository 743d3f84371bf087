"""In which language somebody reads a notice."""

from __future__ import annotations

import pytest

from consentry.ledger.case_events import NoticeWritten
from consentry.oversight.notice import Version

WRITTEN = ("en", "zh-Hans", "zh-Hant", "pt-PT", "pt-BR", "de-CH", "de", "cy_GB")


@pytest.mark.parametrize(
    ("reads", "shown"),
    [
        ("zh-Hant", "zh-Hant"),
        ("zh-Hant-HK", "zh-Hant"),
        ("zh_hant", "zh-Hant"),
        ("zh-Hans", "zh-Hans"),
        ("pt-BR", "pt-BR"),
        ("de", "de"),
        ("de-AT", "de"),
        ("de-CH", "de-CH"),
        ("pt", "pt-PT"),
        ("zh", "zh-Hans"),
        ("cy", "cy_GB"),
        ("fr", "en"),
    ],
)
def test_the_nearest_text_is_shown(reads: str, shown: str) -> None:
    body = NoticeWritten(
        notice="what-we-use",
        languages=WRITTEN,
        documents=tuple(f"sha256:{number}" for number in range(len(WRITTEN))),
        channel="mail",
        audience="members",
        by=None,
    )
    assert Version(number=1, body=body, position=0, at=0).text_for(reads).languages == (shown,)


@pytest.mark.parametrize(
    ("reads", "shown"), [("en", "EN"), ("cy", "cym"), ("fr", "fr "), ("fr-CA", "FR_ca"), ("ar", "EN"), ("de", "EN")]
)
def test_what_was_kept_before_languages_were_looked_at_is_read(reads: str, shown: str) -> None:
    kept = ("EN", "en", "cym", "fr ", "FR_ca", "Deutsch")
    body = NoticeWritten(
        notice="what-we-use",
        languages=kept,
        documents=tuple(f"sha256:{number}" for number in range(len(kept))),
        channel="mail",
        audience="members",
        by=None,
    )
    version = Version(number=1, body=body, position=0, at=0)
    assert version.text_for(reads).languages == (shown,), "of two in one language the first"
    assert [each.languages[0] for each in version.texts] == list(kept), "it is shown as it was written"
