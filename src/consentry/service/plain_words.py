"""The words of the vocabulary as people read them on pages. Templates translate them: `gettext(CATEGORIES[word])`."""

from __future__ import annotations

import gettext
from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType

import pycountry
from babel import Locale

from consentry.ledger.oversight_events import OrderEnd
from consentry.policy.vocabulary import Age, Category, LegalBasis, Purpose, Visibility
from consentry.service.languages import N_

PURPOSES: Mapping[Purpose, str] = MappingProxyType(
    {
        Purpose.TRAIN_AI: N_("training AI of any kind"),
        Purpose.TRAIN_GENAI: N_("training generative AI"),
        Purpose.TRAIN_GENAI_TEXT: N_("training AI that writes"),
        Purpose.TRAIN_GENAI_IMAGE: N_("training AI that makes pictures"),
        Purpose.EVALUATE: N_("testing AI"),
        Purpose.SERVE: N_("offering a trained model to people"),
        Purpose.IMPROVE_FROM_FEEDBACK: N_("improving AI with what people say about its answers"),
    }
)
CATEGORIES: Mapping[Category, str] = MappingProxyType(
    {
        Category.UNKNOWN: N_("content of an unknown kind"),
        Category.PROFILE: N_("profiles"),
        Category.POST: N_("posts"),
        Category.COMMENT: N_("comments"),
        Category.ARTICLE: N_("articles"),
        Category.POLL_ANSWER: N_("answers to polls"),
        Category.IMAGE: N_("pictures"),
        Category.VIDEO: N_("videos"),
        Category.AUDIO: N_("sound recordings"),
        Category.RESUME: N_("résumés"),
        Category.JOB_APPLICATION_ANSWER: N_("answers in job applications"),
        Category.GROUP_POST: N_("posts in groups"),
        Category.GROUP_MESSAGE: N_("messages in groups"),
        Category.DIRECT_MESSAGE: N_("direct messages"),
        Category.REACTION: N_("reactions"),
        Category.RECOMMENDATION: N_("recommendations"),
        Category.AI_PROMPT: N_("what people ask an AI"),
        Category.AI_OUTPUT: N_("what an AI answered"),
        Category.AI_FEEDBACK: N_("feedback on an AI's answers"),
        Category.SALARY: N_("salaries"),
        Category.CREDENTIAL: N_("passwords and other credentials"),
        Category.PAYMENT: N_("payments"),
    }
)
VISIBILITIES: Mapping[Visibility, str] = MappingProxyType(
    {
        Visibility.UNKNOWN: N_("nobody knows who could see it"),
        Visibility.PUBLIC: N_("everybody"),
        Visibility.MEMBERS: N_("all members"),
        Visibility.CONNECTIONS: N_("a person's connections"),
        Visibility.GROUP: N_("the members of a group"),
        Visibility.PRIVATE: N_("only those it was sent to"),
    }
)
AGES: Mapping[Age, str] = MappingProxyType(
    {Age.UNKNOWN: N_("people of unknown age"), Age.ADULT: N_("adults"), Age.MINOR: N_("people under age")}
)
LEGAL_BASES: Mapping[LegalBasis, str] = MappingProxyType(
    {
        LegalBasis.CONSENT: N_("consent: people agreed"),
        LegalBasis.CONTRACT: N_("a contract with people needs it"),
        LegalBasis.LEGAL_OBLIGATION: N_("the law requires it"),
        LegalBasis.VITAL_INTERESTS: N_("somebody's life depends on it"),
        LegalBasis.PUBLIC_TASK: N_("a task in the public interest"),
        LegalBasis.LEGITIMATE_INTERESTS: N_("legitimate interests: people can object"),
    }
)
STANDINGS: Mapping[str, str] = MappingProxyType(
    {
        "concern-raised": N_("concern raised"),
        "suspended": N_("suspended"),
        "under-review": N_("under review"),
        "conditions-met": N_("conditions met"),
        "approved": N_("approved"),
        "notices-served": N_("notices served"),
        "waiting": N_("waiting"),
        "ready": N_("nothing stands in the way"),
        "narrowed": N_("narrowed"),
        "lifted": N_("lifted"),
        "withdrawn": N_("withdrawn"),
        "prohibited": N_("prohibited for good"),
    }
)
"""How far a case is."""
SUSPENSION_ENDS: Mapping[OrderEnd, str] = MappingProxyType(
    {
        OrderEnd.LIFTED: N_("It was lifted."),
        OrderEnd.WITHDRAWN: N_("It was withdrawn, because the concern was given up."),
        OrderEnd.NARROWED: N_("A smaller one took its place."),
    }
)
"""How a suspension ended."""
EVENTS: Mapping[str, str] = MappingProxyType(
    {
        "case.opened": N_("The case was opened"),
        "case.review-begun": N_("The review began"),
        "condition.added": N_("A condition was added"),
        "condition.met": N_("A condition was met, as a document shows"),
        "condition.reopened": N_("A condition was opened again"),
        "condition.taken-back": N_("A condition was taken back"),
        "approval.given": N_("Somebody approved a step"),
        "case.notice-required": N_("A notice became required"),
        "case.notice-corrected": N_("What is required of a notice was corrected"),
        "case.narrowed": N_("A smaller order took the place of others"),
        "case.ended": N_("The case ended"),
        "report.scheduled": N_("A report was promised"),
        "report.delivered": N_("A report was delivered"),
        "order.issued": N_("An order came into force"),
        "order.ended": N_("An order ended"),
        "order.drained": N_("No job reads what the order stops any more"),
        "notice.served": N_("People were told"),
        "statement.filed": N_("An authority filed a statement"),
    }
)
"""What happened, for the timeline of a case."""
GROUP_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "EEA": N_("European Economic Area"),
        "EFTA": N_("European Free Trade Association"),
        "EU": N_("European Union"),
        "EU-LAW": N_("places where the law of the European Union applies"),
        "GDPR": N_("places where the data protection law of the European Union applies"),
        "UK-GDPR": N_("places where the data protection law of the United Kingdom applies"),
        "US-STATE-LAW": N_("states of the USA with a privacy law of their own"),
    }
)
"""Groups of places that no list of countries has a name for. `UK` has: that of its country."""
PART_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "CA-QC": N_("Quebec"),
        "GB-ENG": N_("England"),
        "GB-NIR": N_("Northern Ireland"),
        "GB-SCT": N_("Scotland"),
        "GB-WLS": N_("Wales"),
        "US-AL": N_("Alabama"),
        "US-CA": N_("California"),
        "US-CO": N_("Colorado"),
        "US-CT": N_("Connecticut"),
        "US-DE": N_("Delaware"),
        "US-FL": N_("Florida"),
        "US-IA": N_("Iowa"),
        "US-IN": N_("Indiana"),
        "US-KY": N_("Kentucky"),
        "US-LA": N_("Louisiana"),
        "US-MD": N_("Maryland"),
        "US-MN": N_("Minnesota"),
        "US-MT": N_("Montana"),
        "US-NE": N_("Nebraska"),
        "US-NH": N_("New Hampshire"),
        "US-NJ": N_("New Jersey"),
        "US-OK": N_("Oklahoma"),
        "US-OR": N_("Oregon"),
        "US-RI": N_("Rhode Island"),
        "US-TN": N_("Tennessee"),
        "US-TX": N_("Texas"),
        "US-UT": N_("Utah"),
        "US-VA": N_("Virginia"),
    }
)
"""Parts of countries that the lists of parts do not name in every language of the pages, and that people here read of.

Those of the United Kingdom, and whatever shipped policy sets, and groups of places of ours, name.
"""
_COUNTRY_OF_GROUP = {"UK": "GB"}


def place_name(code: str, locale: Locale, *, translated: Callable[[str], str]) -> str:
    """Return what a language calls a place or a group of places; of a part of a country, the country and the part."""
    if code in GROUP_NAMES:
        return translated(GROUP_NAMES[code])
    country, _, part = _COUNTRY_OF_GROUP.get(code, code).partition("-")
    name = str(locale.territories.get(country) or country)
    if not part:
        return name
    return f"{name} ({translated(PART_NAMES[code]) if code in PART_NAMES else _part_name(code, locale.language)})"


@cache
def _part_name(code: str, language: str) -> str:
    """Return the name of a part of a country, by its ISO 3166-2 code; the code itself if nobody knows it."""
    known = pycountry.subdivisions.get(code=code)  # type: ignore[no-untyped-call]
    if known is None:
        return code
    names = gettext.translation("iso3166-2", pycountry.LOCALES_DIR, languages=[language], fallback=True)
    # In brackets the source says by which code a part goes in another of its languages.
    return names.gettext(known.name).partition(" [")[0]


def collection_name(release: str, *, translated: Callable[[str], str]) -> str:
    """Return what people read for the name of a release: of one that was named by itself, the corpus and a number."""
    parts = release.rsplit(".", 2)
    if len(parts) != 3 or parts[1] not in set(Purpose) or not parts[2].isdecimal():
        return release
    return translated(N_("%(corpus)s, number %(number)s")) % {"corpus": parts[0], "number": parts[2]}
