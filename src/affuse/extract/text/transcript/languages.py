"""Languages as files name them: en, eng, English, en-US."""

from __future__ import annotations

import re

ENGLISH = "en"
_TWO = frozenset(
    """
    af am ar az be bg bn bs ca cs cy da de el en eo es et eu fa fi fr ga gl gu he hi hr hu hy id is
    it ja ka kk km kn ko lo lt lv mk ml mn mr ms my nb ne nl nn no pa pl ps pt ro ru si sk sl sq sr
    sv sw ta te th tl tr uk ur uz vi zh
    """.split()
)
_NAMED = {
    "en": "eng english", "de": "deu ger german deutsch", "fr": "fra fre french francais",
    "es": "spa spanish espanol castilian", "it": "ita italian italiano", "nl": "nld dut dutch",
    "pt": "por portuguese", "pl": "pol polish", "ru": "rus russian", "uk": "ukr ukrainian",
    "zh": "zho chi chs cht chinese mandarin cmn", "ja": "jpn japanese", "ko": "kor korean",
    "ar": "ara arabic", "hi": "hin hindi", "tr": "tur turkish", "sv": "swe swedish",
    "da": "dan danish", "no": "nor norwegian nob", "fi": "fin finnish", "cs": "ces cze czech",
    "el": "ell gre greek", "he": "heb hebrew iw", "hu": "hun hungarian", "ro": "ron rum romanian",
    "vi": "vie vietnamese", "th": "tha thai", "id": "ind indonesian", "hr": "hrv croatian",
    "bg": "bul bulgarian", "sk": "slk slo slovak", "sr": "srp serbian", "ca": "cat catalan",
    "fa": "fas per persian farsi", "ms": "msa may malay", "sl": "slv slovenian",
}  # fmt: skip
_CODES = {name: code for code, names in _NAMED.items() for name in names.split()}


def language_code(name: str | None) -> str | None:
    """The code of two letters of a language's code or name, with a region or not; else None."""
    if not name:
        return None
    first = re.split(r"[-_ (]", name.strip().lower())[0]
    return first if first in _TWO else _CODES.get(first)
