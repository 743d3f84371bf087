"""What keeps a text about a place from establishing a residence, although places were found in it.

A name in a text is not yet where its author lives: `born in Texas, living in Munich`, `not in the US`, `ex-USA`. Nobody
can list every such sentence, so three things are asked, and each may hold a text back:

* Does a word say *no*, *formerly*, *from* or *elsewhere*? (`doubts`; a few languages.)
* Is it the name of a time zone? (`names_a_zone`.) People choose those from a list, and often the wrong one.
* Is what was not understood at least likely to be the name of a smaller place? (`reads_as_name`, `says_nothing`.)
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import takewhile

from babel.core import get_global

from consentry.corpus.place_names import codes, fold, readings_of

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_OF_A_NAME = re.compile(r"['’ʻ(]?[^\W_](?:[\w.'’ʻ]|-(?=\w))*\)?")
_CONTINENT = re.compile(r"\b(africa|america|antarctica|arctic|asia|atlantic|etc|europe|indian|pacific)/", re.IGNORECASE)
_YEARS = re.compile(r"\b(?:19|20)\d\d\s*[-–—]\s*(?:19|20)\d\d\b")
_MOST_WORDS = 6


def _folded(text: str) -> frozenset[str]:
    return frozenset(map(fold, text.split()))


DOUBTS = _folded("""
    not no non never nor neither without except but isnt aint wasnt arent didnt dont wont cant anymore longer
    made ex former formerly previous previously once past prior until till used was were been had ago earlier
    before after then later now currently presently soon today future someday sometimes often occasionally
    mostly partly temporarily temporary born birth birthplace native origin original originally originating
    raised grew grown bred hail hails hailing from hometown homeland heritage roots descent descendant ancestry
    nationality citizen citizenship passport expat expats expatriate emigrant emigrated immigrant immigrated
    migrant migrated move moved moves moving relocate relocated relocating left leave leaves leaving fled
    escaped returned returning lived stayed visit visiting visitor travel travels traveling travelling traveler
    traveller nomad tourist going headed heading towards toward abroad away outside outta beyond elsewhere
    goodbye farewell missing exile exiled time timezone tz gmt utc nicht kein keine nie früher ehemals ehemalig
    ehemalige ehemaliger vormals geboren geb gebürtig aus jetzt nun derzeit momentan bis ursprünglich stammt
    herkunft heimat umgezogen weggezogen ausgewandert außerhalb ohne ausland jamais ancien ancienne anciennement
    autrefois née originaire origine natif actuellement maintenant désormais parti expatrié expatriée hors
    ailleurs nunca jamás antes antiguo antigua ahora actualmente nacido nacida nací originario originaria
    oriundo desde vivía fuera emigrado expatriado não antigamente agora atualmente nascido nascida oriunda fora
    morava adesso attualmente nato nata cresciuto vissuto trasferito fuori niet geen nooit vroeger voorheen nu
    afkomstig uit vertrokken verhuisd ikke inte aldrig tidligere tidigare født född opprinnelig ursprungligen
    fra från flyttet flyttat nie nigdy dawniej kiedyś urodzony urodzona teraz pochodzę değil eski doğumlu şimdi
    не нет никогда бывший бывшая раньше ранее прежде родился родилась родом из теперь сейчас переехал переехала
    уехал ليس لست من سابقا مولود كنت الآن לא לשעבר נולד נולדתי כעת
    """)
"""Words, in a few languages, with which a name is not, or not any more, where somebody lives."""
_DOUBTS_WITHIN = _folded("""
    出身 生まれ 育ち 移住 不在 じゃない ではない 来自 來自 出生 现居 現居 现在 現在
    旅居 离开 離開 移民 不是 原籍 老家 祖籍 출신 아님 태생 현재 이민
    """)
"""The same in languages that are written without spaces."""

_NOW = _folded("""
    now currently presently jetzt nun derzeit momentan actuellement maintenant désormais ahora actualmente agora
    atualmente adesso attualmente nu teraz şimdi теперь сейчас الآن כעת
    """)
"""Those of them with which the name beside them is where somebody is by now."""
_MOVED = _NOW | _folded("""
    moved moving relocated relocating emigrated immigrated emigrant migrated left fled escaped abroad expat expats
    expatriate exile exiled umgezogen weggezogen ausgewandert ausland parti expatrié expatriée emigrado expatriado
    trasferito verhuisd vertrokken flyttet flyttat переехал переехала уехал
    """)
"""Those of them that say that somebody is not, or not any more, where the platform first knew them."""
_FROM = _folded("""
    from out off of left fled escaped aus von ab de du des del do da das dos desde di dei degli della dal dalla dai
    dagli uit van af fra från z ze od из от с من
    """)
"""Words behind which there is where somebody was, up to one of `_TO`."""
_TO = _folded("to into for in at nach zu im ins en à au aux a al em para naar te til i w на в إلى في")
_ELSEWHERE = _FROM | (DOUBTS - _MOVED)
"""Words behind which there is where somebody is not."""

_SURROUNDINGS = _folded("""
    metro metropolitan coast bay valley area region state province county district city town earth planet world
    milky way solar system universe
    """)
"""Words beside a name, before or behind it, that leave it as it is."""
_FILLERS = _SURROUNDINGS | _folded("""
    the a of in at on near around somewhere anywhere my our i im am we live lives living based located residing
    resident north south east west northern southern eastern western northeast northwest southeast southwest
    northeastern northwestern southeastern southwestern n s e w ne nw se sw nne nnw sse ssw central centre
    center middle mid upper lower inner outer greater downtown rural coastal republic kingdom commonwealth
    federation
    """)
"""Words before a name that leave it as it is."""
_LABELS = _FILLERS | _folded("location loc country place address residence")
"""Words that say nothing if nothing stands beside them: `Location: Texas`, but not `Résidence Virginia`."""

_PARTICLES = _folded("""
    and upon by under sur sous de du des d la le les l el los las da do dos das di del della van von der den dem
    am an im bei ob zu zum het op aan ved på og y e et og na nad linn область край район
    """)
"""What is written small within the name of a place."""


def doubts(piece: str) -> bool:
    """Say whether a word of this piece of a text denies, dates or moves what it names.

    A name of several words is taken for what it is (`Pas de Calais`), and so is a code in capitals (`NO`).
    """
    if not piece.isascii() and any(word in fold(piece) for word in _DOUBTS_WITHIN):
        return True
    words = _WORD.findall(piece)
    doubtful = [word for word in words if fold(word) in DOUBTS and not (word.isupper() and word in codes())]
    return bool(doubtful) and not (len(words) > 1 and readings_of(piece) is not None)


def moved_to(pieces: Sequence[str]) -> Iterator[list[str]]:
    """Yield, for each piece that says that somebody is somewhere else by now, what may say where that is.

    What stands behind `from`, or another word that denies or dates, is where they were, or are not: it is left out.
    """
    for number, piece in enumerate(pieces):
        if since := _since_moved(piece):
            follows = takewhile(lambda each: not doubts(each), pieces[number + 1 :])
            alone = number == len(pieces) - 1 and len(piece.split()) == 1 and fold(piece) in _NOW  # `Texas (currently)`
            yield _without_origins("\n".join(pieces[-2:] if alone else [since, *follows])).split("\n")


def _since_moved(piece: str) -> str:
    """Return what stands from the last word on that says so, before it where it is a `now` at the end; else empty."""
    words = list(_WORD.finditer(piece))
    moved = [number for number, word in enumerate(words) if fold(word[0]) in _MOVED]
    if moved and moved[-1] == len(words) - 1 and fold(words[-1][0]) in _NOW:  # `Smalltown now`
        return piece[words[moved[-2]].start() :] if len(moved) > 1 else piece
    return piece[words[moved[-1]].start() :] if moved else ""


def _without_origins(text: str) -> str:
    """Return lines without what stands behind words of `_ELSEWHERE`; behind those of `_FROM`, up to one of `_TO`."""
    words = list(_WORD.finditer(text))
    coded = codes().keys() & text.split("\n")  # `Wilmington, DE`
    kept, start, behind = "", 0, ""
    for number, word in enumerate(words):
        said = "" if word[0] in coded else fold(word[0])
        around = text[words[max(number - 1, 0)].start() : words[min(number + 1, len(words) - 1)].end()]
        if behind in _FROM and said in _TO:
            start, behind = word.start(), ""
        elif said in _ELSEWHERE and readings_of(around) is None:  # `Rio de Janeiro`
            kept += "" if behind else f"{text[start : word.start()]}from "
            behind = said if not behind or behind in _FROM else behind
    return kept if behind else kept + text[start:]


def spans_years(text: str) -> bool:
    """Say whether a text names a span of years, as in `Texas (2010-2015)`: that is not where somebody is now."""
    return _YEARS.search(text) is not None


def names_a_zone(text: str) -> bool:
    """Say whether a text holds the name of a time zone (`America/New_York`), or looks as if it did."""
    if "/" not in text:
        return False
    spelled = text.casefold().replace(" ", "_")
    return _CONTINENT.search(text) is not None or any(zone in spelled for zone in _zones())


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    zones = [*get_global("zone_territories"), *get_global("zone_aliases")]
    return frozenset(zone.casefold() for zone in zones if "/" in zone)


def says_nothing(words: Iterable[str]) -> bool:
    """Say whether words (folded) say nothing about a place, such as `somewhere in`."""
    return all(word in _FILLERS for word in words)


def is_a_label(words: Iterable[str]) -> bool:
    """Say whether words (folded), a piece of a text by themselves, only announce a place, such as `Location`."""
    return all(word in _LABELS for word in words)


def adds_nothing(words: Iterable[str]) -> bool:
    """Say whether words (folded) behind a name leave it as it is, such as `area`."""
    return all(word in _SURROUNDINGS for word in words)


def reads_as_name(piece: str) -> bool:
    """Say whether a piece that nobody knows is likely the name of a place: few words, written as names are."""
    words = [word for word in piece.split() if not any(char.isdigit() for char in word)]
    return len(words) <= _MOST_WORDS and all(_of_a_name(word, alone=len(words) == 1) for word in words)


def _of_a_name(word: str, *, alone: bool) -> bool:
    if not _OF_A_NAME.fullmatch(word) or fold(word) in DOUBTS:
        return False
    small = not any(char.isupper() for char in word) and any(char.islower() for char in word)
    return alone or not small or fold(word) in _PARTICLES or fold(word) in _FILLERS
