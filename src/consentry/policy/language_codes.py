"""How policy texts name a language: by its shortest code of ISO 639, in lower case. Data, and one question.

* Written as `SHORT:LONG`, the codes of two letters (ISO 639-1) with those of three (ISO 639-3) that mean the same;
  those of libraries (ISO 639-2/B), where they differ, stand below, and those that were withdrawn or are of the variety
  that is meant by the short one. A language without a code of two letters has one of three, and these are not listed:
  there are thousands. A test compares all of it with an independent list.
* `no`, `tl` and `tw` are codes of ISO and stand here, although others have taken their place in lists of locales.
* There are no regions: a text is read by everybody who reads the language.
"""

from __future__ import annotations

import re

_CODES = """
aa:aar ab:abk ae:ave af:afr ak:aka am:amh an:arg ar:ara as:asm av:ava ay:aym az:aze ba:bak be:bel bg:bul bi:bis bm:bam
bn:ben bo:bod br:bre bs:bos ca:cat ce:che ch:cha co:cos cr:cre cs:ces cu:chu cv:chv cy:cym da:dan de:deu dv:div dz:dzo
ee:ewe el:ell en:eng eo:epo es:spa et:est eu:eus fa:fas ff:ful fi:fin fj:fij fo:fao fr:fra fy:fry ga:gle gd:gla gl:glg
gn:grn gu:guj gv:glv ha:hau he:heb hi:hin ho:hmo hr:hrv ht:hat hu:hun hy:hye hz:her ia:ina id:ind ie:ile ig:ibo ii:iii
ik:ipk io:ido is:isl it:ita iu:iku ja:jpn jv:jav ka:kat kg:kon ki:kik kj:kua kk:kaz kl:kal km:khm kn:kan ko:kor kr:kau
ks:kas ku:kur kv:kom kw:cor ky:kir la:lat lb:ltz lg:lug li:lim ln:lin lo:lao lt:lit lu:lub lv:lav mg:mlg mh:mah mi:mri
mk:mkd ml:mal mn:mon mr:mar ms:msa mt:mlt my:mya na:nau nb:nob nd:nde ne:nep ng:ndo nl:nld nn:nno no:nor nr:nbl nv:nav
ny:nya oc:oci oj:oji om:orm or:ori os:oss pa:pan pi:pli pl:pol ps:pus pt:por qu:que rm:roh rn:run ro:ron ru:rus rw:kin
sa:san sc:srd sd:snd se:sme sg:sag si:sin sk:slk sl:slv sm:smo sn:sna so:som sq:sqi sr:srp ss:ssw st:sot su:sun sv:swe
sw:swa ta:tam te:tel tg:tgk th:tha ti:tir tk:tuk tl:tgl tn:tsn to:ton tr:tur ts:tso tt:tat tw:twi ty:tah ug:uig uk:ukr
ur:urd uz:uzb ve:ven vi:vie vo:vol wa:wln wo:wol xh:xho yi:yid yo:yor za:zha zh:zho zu:zul
"""
_OF_LIBRARIES = """
bo:tib cs:cze cy:wel de:ger el:gre eu:baq fa:per fr:fre hy:arm is:ice ka:geo mi:mao mk:mac ms:may my:bur nl:dut ro:rum
sk:slo sq:alb zh:chi
"""
_OF_VARIETIES = """
ak:fat ar:arb ay:ayr az:azj cr:cwd dz:adp et:ekk fa:pes ff:fuc gn:gug gu:prp hr:scr ik:esk iu:ike kg:kng kr:knc ku:kmr
kv:kpv lv:lvs mg:plt mn:drh mn:khk ms:zsm ne:npi oj:ojg om:gaz or:ory ps:pbu qu:quz ro:mol sa:cls sc:src sq:als sr:scc
sw:swh uz:uzn yi:ydd za:zyb zh:cmn
"""
_ALL = (_CODES + _OF_LIBRARIES + _OF_VARIETIES).split()
SHORTER = {long: short for short, _, long in (each.partition(":") for each in _ALL)}
"""From codes of three letters to the codes of two that mean the same."""
SHORT = frozenset(SHORTER.values())
"""The codes of two letters."""
_LONG = re.compile("[a-z]{3}", re.ASCII)
_NONE = re.compile("mis|mul|und|zxx|q[a-t][a-z]")
"""Codes for several, for an unknown and for no language, and those that everybody may use for their own."""


def advice(code: str) -> str:
    """Return what to write in place of `code`, empty if it is the one code of a language."""
    if code in SHORT or (_LONG.fullmatch(code) and code not in SHORTER and not _NONE.fullmatch(code)):
        return ""
    language = re.split("[-_]", code.strip().lower(), maxsplit=1)[0]
    meant = SHORTER.get(language, language)
    if meant in SHORT or (_LONG.fullmatch(meant) and not _NONE.fullmatch(meant)):
        return f"write `{meant}`: the shortest code of ISO 639, in lower case, without a region"
    return "use a code of ISO 639 in lower case: `cy`, `fr`"
