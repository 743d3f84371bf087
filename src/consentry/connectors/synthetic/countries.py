"""Where the made-up people live: roughly how a worldwide professional network is spread.

The shares are rough on purpose (they decide nothing), and small places with a law of their own are in because they are
where country logic goes wrong.
"""

from __future__ import annotations

from typing import NamedTuple


class Country(NamedTuple):
    """A place people live in. `locale` is Faker's (names, companies), `languages` what is written there, by habit."""

    code: str
    share: float
    locale: str
    languages: tuple[str, ...]
    prefix: str
    cities: tuple[tuple[str, str], ...]


COUNTRIES: tuple[Country, ...] = (
    Country(
        "US",
        200,
        "en_US",
        ("en", "en", "en", "en", "es"),
        "+1 415 555",
        (
            ("San Francisco, CA", "America/Los_Angeles"),
            ("Austin, Texas", "America/Chicago"),
            ("New York, NY", "America/New_York"),
        ),
    ),
    Country(
        "IN",
        130,
        "en_IN",
        ("en", "en", "hi"),
        "+91 98765",
        (("Bengaluru", "Asia/Kolkata"), ("Mumbai", "Asia/Kolkata"), ("Pune", "Asia/Kolkata")),
    ),
    Country(
        "BR",
        75,
        "pt_BR",
        ("pt",),
        "+55 11 91234",
        (("São Paulo", "America/Sao_Paulo"), ("Manaus", "America/Manaus"), ("Recife", "America/Recife")),
    ),
    Country("CN", 50, "zh_CN", ("zh",), "+86 138 0013", (("上海", "Asia/Shanghai"), ("Shenzhen", "Asia/Shanghai"))),
    Country(
        "GB",
        42,
        "en_GB",
        ("en",),
        "+44 7700 900",
        (("London", "Europe/London"), ("Manchester", "Europe/London"), ("Edinburgh", "Europe/London")),
    ),
    Country(
        "FR",
        32,
        "fr_FR",
        ("fr", "fr", "fr", "en"),
        "+33 6 12 34",
        (("Paris", "Europe/Paris"), ("Lyon", "Europe/Paris"), ("Toulouse", "Europe/Paris")),
    ),
    Country("ID", 30, "id_ID", ("id",), "+62 812 3456", (("Jakarta", "Asia/Jakarta"), ("Surabaya", "Asia/Jakarta"))),
    Country(
        "CA", 20, "en_CA", ("en",), "+1 416 555", (("Toronto", "America/Toronto"), ("Vancouver", "America/Vancouver"))
    ),
    Country(
        "CA-QC",
        6,
        "fr_CA",
        ("fr", "fr", "en"),
        "+1 514 555",
        (("Montréal", "America/Toronto"), ("Québec", "America/Toronto")),
    ),
    Country(
        "MX",
        24,
        "es_MX",
        ("es",),
        "+52 55 1234",
        (("Monterrey", "America/Monterrey"), ("Guadalajara", "America/Mexico_City")),
    ),
    Country(
        "DE",
        22,
        "de_DE",
        ("de", "de", "de", "en"),
        "+49 151 234",
        (("Berlin", "Europe/Berlin"), ("München", "Europe/Berlin")),
    ),
    Country("IT", 21, "it_IT", ("it",), "+39 320 123", (("Milano", "Europe/Rome"), ("Torino", "Europe/Rome"))),
    Country("ES", 20, "es_ES", ("es",), "+34 612 34", (("Madrid", "Europe/Madrid"), ("Las Palmas", "Atlantic/Canary"))),
    Country(
        "TR", 18, "tr_TR", ("tr",), "+90 532 123", (("İstanbul", "Europe/Istanbul"), ("Ankara", "Europe/Istanbul"))
    ),
    Country("AU", 16, "en_AU", ("en",), "+61 412 345", (("Sydney", "Australia/Sydney"), ("Perth", "Australia/Perth"))),
    Country("PH", 16, "en_PH", ("en",), "+63 917 123", (("Manila", "Asia/Manila"), ("Cebu City", "Asia/Manila"))),
    Country("AR", 14, "es_AR", ("es",), "+54 9 11 2345", (("Buenos Aires", "America/Argentina/Buenos_Aires"),)),
    Country("CO", 14, "es_CO", ("es",), "+57 301 234", (("Bogotá", "America/Bogota"), ("Medellín", "America/Bogota"))),
    Country("PK", 14, "en_PK", ("en",), "+92 300 123", (("Lahore", "Asia/Karachi"), ("Karachi", "Asia/Karachi"))),
    Country(
        "NL",
        12,
        "nl_NL",
        ("nl", "nl", "en"),
        "+31 6 1234",
        (("Amsterdam", "Europe/Amsterdam"), ("Utrecht", "Europe/Amsterdam")),
    ),
    Country("ZA", 12, "en_US", ("en",), "+27 82 123", (("Cape Town", "Africa/Johannesburg"),)),
    Country("NG", 11, "en_NG", ("en",), "+234 803 123", (("Lagos", "Africa/Lagos"),)),
    Country("PE", 9, "es_ES", ("es",), "+51 912 34", (("Lima", "America/Lima"),)),
    Country("SA", 9, "ar_SA", ("ar", "en"), "+966 50 123", (("الرياض", "Asia/Riyadh"), ("Jeddah", "Asia/Riyadh"))),
    Country("EG", 9, "ar_EG", ("ar",), "+20 100 123", (("القاهرة", "Africa/Cairo"),)),
    Country("AE", 8, "en_US", ("en", "ar"), "+971 50 123", (("Dubai", "Asia/Dubai"),)),
    Country("CL", 8, "es_CL", ("es",), "+56 9 1234", (("Santiago de Chile", "America/Santiago"),)),
    Country("MY", 8, "en_US", ("en",), "+60 12 345", (("Kuala Lumpur", "Asia/Kuala_Lumpur"),)),
    Country("BD", 8, "en_BD", ("en",), "+880 1712 34", (("Dhaka", "Asia/Dhaka"),)),
    Country("PL", 8, "pl_PL", ("pl",), "+48 512 345", (("Warszawa", "Europe/Warsaw"), ("Kraków", "Europe/Warsaw"))),
    Country("SE", 7, "sv_SE", ("sv", "en"), "+46 70 123", (("Stockholm", "Europe/Stockholm"),)),
    Country("VN", 7, "vi_VN", ("en",), "+84 912 345", (("Hà Nội", "Asia/Ho_Chi_Minh"),)),
    Country("PT", 6, "pt_PT", ("pt",), "+351 912 34", (("Lisboa", "Europe/Lisbon"),)),
    Country(
        "BE", 6, "nl_BE", ("nl", "fr"), "+32 470 12", (("Bruxelles", "Europe/Brussels"), ("Gent", "Europe/Brussels"))
    ),
    Country("KE", 6, "en_US", ("en",), "+254 712 34", (("Nairobi", "Africa/Nairobi"),)),
    Country("MA", 6, "fr_FR", ("fr", "ar"), "+212 612 34", (("Casablanca", "Africa/Casablanca"),)),
    Country("RO", 5, "ro_RO", ("en",), "+40 712 34", (("Cluj-Napoca", "Europe/Bucharest"),)),
    Country("UA", 5, "uk_UA", ("uk",), "+380 67 123", (("Київ", "Europe/Kyiv"),)),
    Country("JP", 5, "ja_JP", ("ja",), "+81 90 1234", (("東京", "Asia/Tokyo"), ("Osaka", "Asia/Tokyo"))),
    Country("KR", 5, "ko_KR", ("en",), "+82 10 1234", (("Seoul", "Asia/Seoul"),)),
    Country("SG", 5, "en_US", ("en",), "+65 8123", (("Singapore", "Asia/Singapore"),)),
    Country(
        "CH", 5, "de_CH", ("de", "fr", "en"), "+41 78 123", (("Zürich", "Europe/Zurich"), ("Genève", "Europe/Zurich"))
    ),
    Country("DK", 4, "da_DK", ("en",), "+45 20 12", (("København", "Europe/Copenhagen"),)),
    Country("NO", 4, "no_NO", ("en",), "+47 412 34", (("Oslo", "Europe/Oslo"),)),
    Country("IE", 4, "en_IE", ("en",), "+353 85 123", (("Dublin", "Europe/Dublin"),)),
    Country("IL", 4, "he_IL", ("en",), "+972 50 123", (("Tel Aviv", "Asia/Jerusalem"),)),
    Country("NZ", 4, "en_NZ", ("en",), "+64 21 123", (("Wellington", "Pacific/Auckland"),)),
    Country("AT", 3, "de_AT", ("de",), "+43 660 123", (("Wien", "Europe/Vienna"),)),
    Country("CZ", 3, "cs_CZ", ("en",), "+420 601 12", (("Praha", "Europe/Prague"),)),
    Country("GR", 3, "el_GR", ("en",), "+30 691 234", (("Αθήνα", "Europe/Athens"),)),
    Country("HK", 3, "zh_TW", ("zh", "en"), "+852 5123", (("Hong Kong", "Asia/Hong_Kong"),)),
    Country("FI", 3, "fi_FI", ("en",), "+358 40 123", (("Helsinki", "Europe/Helsinki"),)),
    Country("HU", 3, "hu_HU", ("en",), "+36 20 123", (("Budapest", "Europe/Budapest"),)),
    Country("IS", 0.5, "en_US", ("en",), "+354 611", (("Reykjavík", "Atlantic/Reykjavik"),)),
    Country("RE", 0.4, "fr_FR", ("fr",), "+262 692 12", (("Saint-Denis, La Réunion", "Indian/Reunion"),)),
    Country("JE", 0.3, "en_GB", ("en",), "+44 7797 7", (("Saint Helier, Jersey", "Europe/Jersey"),)),
    Country("GI", 0.2, "en_GB", ("en",), "+350 5412", (("Gibraltar", "Europe/Gibraltar"),)),
    Country("LI", 0.2, "de_CH", ("de",), "+423 661 12", (("Vaduz", "Europe/Vaduz"),)),
    Country("AX", 0.2, "sv_SE", ("sv",), "+358 457 123", (("Mariehamn", "Europe/Mariehamn"),)),
)
