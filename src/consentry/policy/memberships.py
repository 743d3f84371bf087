"""Which place belonged to which group of places, from when to when, and by which text. Data only.

* A day without a time means 00:00 UTC. Where the text names an instant, that instant stands (the United Kingdom left
  the European Union at 23:00 UTC).
* A group covers a country with all its parts, except parts that have a country code of their own: those need a row of
  their own. So Réunion has rows, and New Caledonia has none.
* Accession to the European Union counts from the treaty's day; accession to the European Economic Area from the day the
  enlargement agreement was first applied, provisionally or not; a state's law from the day it is in force.
* `GDPR` is where the regulation itself applies. There is no row where a state has taken over its rules by a law of its
  own, as France has for New Caledonia.
* Nor is there one for Algeria (until 1962) and Saint-Pierre-et-Miquelon (an overseas department from 1976 to 1985).
* To add a place or a date: add a row with its source. `jurisdictions` derives everything else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from consentry.policy.choice import Seconds


class Membership(NamedTuple):
    """A place was in a group from `starts` (inclusive) until `ends` (exclusive); None is an open end."""

    group: str
    place: str
    starts: Seconds | None
    ends: Seconds | None
    source: str


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


COUNTRIES: frozenset[str] = frozenset(
    _words("""
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC
    CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD
    GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH
    KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW
    MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC
    SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY
    UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW
    """)
)
"""ISO 3166-1 alpha-2, and XK (Kosovo, user-assigned)."""

SAME_PLACE: Mapping[str, str] = dict(
    pair.split("=")
    for pair in _words("""
    FI-01=AX NO-21=SJ CN-HK=HK CN-MO=MO CN-TW=TW
    FR-971=GP FR-GP=GP FR-972=MQ FR-MQ=MQ FR-973=GF FR-GF=GF FR-974=RE FR-RE=RE FR-976=YT FR-YT=YT FR-975=PM FR-PM=PM
    FR-977=BL FR-BL=BL FR-978=MF FR-MF=MF FR-984=TF FR-TF=TF FR-986=WF FR-WF=WF FR-987=PF FR-PF=PF FR-988=NC FR-NC=NC
    NL-AW=AW NL-CW=CW NL-SX=SX NL-BQ1=BQ NL-BQ2=BQ NL-BQ3=BQ US-AS=AS US-GU=GU US-MP=MP US-PR=PR US-UM=UM US-VI=VI
    """)
)
"""Subdivision codes of places that have a country code of their own: ISO 3166-2, and for France its former codes and
the INSEE numbers. Not NO-22: ISO joins Jan Mayen to Svalbard under SJ, but the European Economic Area leaves out only
Svalbard. So SJ is Svalbard here, and Jan Mayen, where nobody has a home, is a part of Norway like any other."""

PART_OF: Mapping[str, str] = {
    part: country
    for country, parts in {
        "FI": "AX",
        "FR": "BL GF GP MF MQ NC PF PM RE TF WF YT",
        "NL": "BQ",
        "NO": "SJ",
        "US": "AS GU MP PR UM VI",
    }.items()
    for part in _words(parts)
}
"""The state that a place with a country code of its own is a part of: what ISO 3166-2 lists under it, without the
places that have a data protection law apart from it (AW, CW, SX; HK, MO, TW)."""

NESTED: frozenset[str] = frozenset(
    _words("AZ BD BE BF CV CZ DO EE ES FJ FR GB GN GQ GW ID IE IQ IS IT KN LK LT MA MH MW PH RS UG")
)
"""Countries whose ISO 3166-2 subdivisions contain one another, as GB-ENG contains GB-LND."""

CARVED_OUT: frozenset[str] = frozenset({"FR-CP", "FR-989"})
"""Subdivisions in no group of their country, without a country code: Clipperton (uninhabited), which is not among the
outermost regions of TFEU Art. 349 and 355(1)."""

GROUPS: Mapping[str, str] = {
    "EU": "Member states of the European Union, with the outermost regions and Åland",
    "EU-LAW": "Where European Union law applies: EU, and GB and GI until their transition ended (2020-12-31)",
    "EEA": "European Economic Area: EU members, Iceland, Liechtenstein, Norway (without Svalbard)",
    "EFTA": "European Free Trade Association: today Iceland, Liechtenstein, Norway, Switzerland",
    "GDPR": "Where Regulation (EU) 2016/679 applies: EU-LAW from 2018-05-25; IS, LI and NO from 2018-07-20",
    "UK": "England, Scotland, Wales and Northern Ireland. Not Jersey, Guernsey, the Isle of Man or Gibraltar",
    "UK-GDPR": "Where the United Kingdom's own GDPR applies: GB from the end of the transition",
    "US-STATE-LAW": "States of the USA with a general consumer privacy law of their own, from the day it is in force",
}

BREXIT = "2020-01-31T23:00"
TRANSITION_END = "2020-12-31T23:00"
GDPR_START = "2018-05-25"

_ROME = "EEC Treaty (Rome, 1957), Art. 247"
_ROME_OVERSEAS = "EEC Treaty Art. 227(2); TFEU Art. 349 and 355(1)"
_ACCESSION_1972 = "Treaty of Accession 1972, OJ L 73, 27.3.1972; OJ L 2, 1.1.1973, p. 1"
_ACCESSION_1979 = "Treaty of Accession 1979, OJ L 291, 19.11.1979, p. 9"
_ACCESSION_1985 = "Treaty of Accession 1985, OJ L 302, 15.11.1985, p. 9"
_ACCESSION_1994 = "Treaty of Accession 1994, OJ C 241, 29.8.1994, p. 9; OJ L 1, 1.1.1995, p. 1"
_ACCESSION_2003 = "Treaty of Accession 2003, OJ L 236, 23.9.2003, p. 17"
_ACCESSION_2005 = "Treaty of Accession 2005, OJ L 157, 21.6.2005, p. 11"
_ACCESSION_2011 = "Treaty of Accession 2011, OJ L 112, 24.4.2012, p. 10"
_ALAND = "Act of Accession 1994, Protocol No 2; TFEU Art. 355(4)"
_GIBRALTAR = "EEC Treaty Art. 227(4), TFEU Art. 355(3); ended by Withdrawal Agreement, OJ L 29, 31.1.2020"
_WITHDRAWAL = f"{_ACCESSION_1972}; ended by Withdrawal Agreement, OJ L 29, 31.1.2020"
_TRANSITION = "Withdrawal Agreement Art. 126 and 127, OJ L 29, 31.1.2020"
_GREENLAND = "Treaty of Accession 1972; ended by the Greenland Treaty, OJ L 29, 1.2.1985, p. 1"
_BARTHELEMY = "EEC Treaty Art. 227(2); ended by Decision 2010/718/EU, OJ L 325, 9.12.2010, p. 4"
_MAYOTTE = "Decision 2012/419/EU, OJ L 204, 31.7.2012, p. 131"
_GDPR = "Regulation (EU) 2016/679 Art. 99, OJ L 119, 4.5.2016, p. 1"
_EEA = "EEA Agreement, OJ L 1, 3.1.1994, p. 3"
_EEA_REGIONS = "EEA Agreement Art. 126(1), OJ L 1, 3.1.1994, p. 3"
_EEA_ALAND = "EEA Agreement Art. 126(2), OJ L 1, 3.1.1994, p. 3; declaration of Finland, 17.12.1992"
_ENLARGEMENT = "EEA Enlargement Agreement"
_STOCKHOLM = "EFTA Convention (Stockholm, 4 January 1960)"
_VADUZ = "EFTA Convention (consolidated, Vaduz, 21 June 2001), preamble"

_Row = tuple[str, str, str | None, str | None, str]

_ROWS: tuple[_Row, ...] = (
    ("EU", "BE DE FR IT LU NL", "1958-01-01", None, _ROME),
    ("EU", "GF GP MF MQ RE", "1958-01-01", None, _ROME_OVERSEAS),
    ("EU", "BL", "1958-01-01", "2012-01-01", _BARTHELEMY),
    ("EU", "DK IE", "1973-01-01", None, _ACCESSION_1972),
    ("EU", "GB", "1973-01-01", BREXIT, _WITHDRAWAL),
    ("EU", "GI", "1973-01-01", BREXIT, _GIBRALTAR),
    ("EU", "GL", "1973-01-01", "1985-02-01", _GREENLAND),
    ("EU", "GR", "1981-01-01", None, _ACCESSION_1979),
    ("EU", "ES PT", "1986-01-01", None, _ACCESSION_1985),
    ("EU", "AT FI SE", "1995-01-01", None, _ACCESSION_1994),
    ("EU", "AX", "1995-01-01", None, _ALAND),
    ("EU", "CY CZ EE HU LT LV MT PL SI SK", "2004-05-01", None, _ACCESSION_2003),
    ("EU", "BG RO", "2007-01-01", None, _ACCESSION_2005),
    ("EU", "HR", "2013-07-01", None, _ACCESSION_2011),
    ("EU", "YT", "2014-01-01", None, _MAYOTTE),
    ("EEA", "AT BE DE DK ES FI FR GR IE IS IT LU NL NO PT SE", "1994-01-01", None, _EEA),
    ("EEA", "GF GP MF MQ RE", "1994-01-01", None, _EEA_REGIONS),
    ("EEA", "BL", "1994-01-01", "2012-01-01", f"{_EEA_REGIONS}; {_BARTHELEMY}"),
    ("EEA", "GB", "1994-01-01", BREXIT, f"{_EEA}; ended by Withdrawal Agreement, OJ L 29, 31.1.2020"),
    ("EEA", "GI", "1994-01-01", BREXIT, f"{_EEA_REGIONS}; ended by Withdrawal Agreement, OJ L 29, 31.1.2020"),
    ("EEA", "AX", "1994-01-01", None, f"{_EEA_ALAND}; {_ALAND}"),
    ("EEA", "LI", "1995-05-01", None, "EEA Council Decision No 1/95, OJ L 86, 20.4.1995, p. 58"),
    ("EEA", "CY CZ EE HU LT LV MT PL SI SK", "2004-05-01", None, f"{_ENLARGEMENT}, OJ L 130, 29.4.2004, p. 11"),
    ("EEA", "BG RO", "2007-08-01", None, f"{_ENLARGEMENT}, OJ L 221, 25.8.2007, p. 15"),
    ("EEA", "YT", "2014-01-01", None, f"{_EEA_REGIONS}; {_MAYOTTE}"),
    ("EEA", "HR", "2014-04-12", None, f"{_ENLARGEMENT}, OJ L 170, 11.6.2014, p. 5"),
    ("EFTA", "CH NO", "1960-05-03", None, _STOCKHOLM),
    ("EFTA", "DK GB", "1960-05-03", "1973-01-01", f"{_STOCKHOLM}; {_ACCESSION_1972}"),
    ("EFTA", "PT", "1960-05-03", "1986-01-01", f"{_STOCKHOLM}; {_ACCESSION_1985}"),
    ("EFTA", "AT SE", "1960-05-03", "1995-01-01", f"{_STOCKHOLM}; {_ACCESSION_1994}"),
    ("EFTA", "IS", "1970-03-01", None, "EFTA Council Decision No 17 of 1969 (accession of Iceland)"),
    ("EFTA", "FI", "1986-01-01", "1995-01-01", f"{_VADUZ}; {_ACCESSION_1994}"),
    ("EFTA", "LI", "1991-09-01", None, _VADUZ),
    ("GDPR", "IS LI NO", "2018-07-20", None, "EEA Joint Committee Decision No 154/2018, OJ L 183, 19.7.2018, p. 23"),
    ("UK", "GB", None, None, "Interpretation Act 1978, sched. 1: Great Britain and Northern Ireland"),
    ("UK-GDPR", "GB", TRANSITION_END, None, "European Union (Withdrawal) Act 2018, s. 3; SI 2019/419"),
    ("US-STATE-LAW", "US-CA", "2020-01-01", None, "California Consumer Privacy Act, Cal. Civ. Code 1798.100"),
    ("US-STATE-LAW", "US-VA", "2023-01-01", None, "Consumer Data Protection Act, Va. Code 59.1-575"),
    ("US-STATE-LAW", "US-CO", "2023-07-01", None, "Colorado Privacy Act, Colo. Rev. Stat. 6-1-1301"),
    ("US-STATE-LAW", "US-CT", "2023-07-01", None, "Connecticut Data Privacy Act, Public Act 22-15"),
    ("US-STATE-LAW", "US-UT", "2023-12-31", None, "Utah Consumer Privacy Act, Utah Code 13-61-101"),
    ("US-STATE-LAW", "US-FL", "2024-07-01", None, "Digital Bill of Rights (largest companies), Fla. Stat. 501.701"),
    ("US-STATE-LAW", "US-OR", "2024-07-01", None, "Oregon Consumer Privacy Act, ORS 646A.570"),
    ("US-STATE-LAW", "US-TX", "2024-07-01", None, "Texas Data Privacy and Security Act, Bus. & Com. Code ch. 541"),
    ("US-STATE-LAW", "US-MT", "2024-10-01", None, "Montana Consumer Data Privacy Act, SB 384 (2023)"),
    ("US-STATE-LAW", "US-DE", "2025-01-01", None, "Delaware Personal Data Privacy Act, 6 Del. C. ch. 12D"),
    ("US-STATE-LAW", "US-IA", "2025-01-01", None, "Iowa Consumer Data Protection Act, Iowa Code ch. 715D"),
    ("US-STATE-LAW", "US-NE", "2025-01-01", None, "Nebraska Data Privacy Act, LB 1074 (2024)"),
    ("US-STATE-LAW", "US-NH", "2025-01-01", None, "New Hampshire SB 255 (2024), RSA 507-H"),
    ("US-STATE-LAW", "US-NJ", "2025-01-15", None, "New Jersey Data Privacy Act, S332 (2024)"),
    ("US-STATE-LAW", "US-TN", "2025-07-01", None, "Tennessee Information Protection Act, HB 1181 (2023)"),
    ("US-STATE-LAW", "US-MN", "2025-07-31", None, "Minnesota Consumer Data Privacy Act, HF 4757 (2024)"),
    ("US-STATE-LAW", "US-MD", "2025-10-01", None, "Online Data Privacy Act, SB 541 (2024): processing from 2026-04-01"),
    ("US-STATE-LAW", "US-IN", "2026-01-01", None, "Indiana Consumer Data Protection Act, Ind. Code 24-15"),
    ("US-STATE-LAW", "US-KY", "2026-01-01", None, "Kentucky Consumer Data Protection Act, HB 15 (2024)"),
    ("US-STATE-LAW", "US-RI", "2026-01-01", None, "Data Transparency and Privacy Protection Act, H 7787 (2024)"),
    ("US-STATE-LAW", "US-LA", "2027-01-01", None, "Louisiana Data Privacy Act, SB 386 (2026), Act 502"),
    ("US-STATE-LAW", "US-OK", "2027-01-01", None, "Oklahoma consumer data privacy act, SB 546 (2026)"),
    ("US-STATE-LAW", "US-AL", "2027-05-01", None, "Alabama Personal Data Protection Act, HB 351 (2026)"),
)  # fmt: skip


def instant(text: str) -> Seconds:
    """Return a day or instant in UTC, such as `2013-07-01`, in seconds."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def _stated() -> Iterator[Membership]:
    for group, places, starts, ends, source in _ROWS:
        for place in _words(places):
            yield Membership(
                group,
                place,
                None if starts is None else instant(starts),
                None if ends is None else instant(ends),
                source,
            )


def _under_eu_law(member: Membership) -> Membership:
    """Return the same place under European Union law: until the transition ended if it left with the United Kingdom."""
    if member.ends != instant(BREXIT):
        return member._replace(group="EU-LAW")
    return member._replace(
        group="EU-LAW", ends=instant(TRANSITION_END), source=f"{member.source}; transition: {_TRANSITION}"
    )


def _derived(stated: Iterable[Membership]) -> Iterator[Membership]:
    gdpr = instant(GDPR_START)
    for member in stated:
        if member.group == "EU":
            under = _under_eu_law(member)
            yield under
            if under.ends is None or under.ends > gdpr:
                starts = gdpr if under.starts is None else max(under.starts, gdpr)
                yield under._replace(group="GDPR", starts=starts, source=f"{_GDPR}; {under.source}")


_STATED = tuple(_stated())
MEMBERSHIPS: tuple[Membership, ...] = (*_STATED, *_derived(_STATED))
