"""From bytes to text: which encoding a transcript is in, or that this cannot be told.

What is not UTF is judged by what it would say: in the right encoding, letters are those that a
language uses, in words, with capitals where they belong. Where two encodings are about as good, or
none is, the file is refused: words that nobody said are worse than none.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from affuse.errors import InputError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SURE, _CLEARLY = 0.9, 0.08
"""The share of letters that must be usual, and by how much it must exceed the next encoding's."""
_JUDGED = 1 << 16


class Decoded(NamedTuple):
    """Text, and the encoding that it was in."""

    text: str
    encoding: str
    broken: int = 0  # letters that could not be read


def decoded(content: bytes, file: str, encoding: str | None = None) -> Decoded:
    """The text of a file, in the encoding that is named, else in the one that it is in.

    Raises:
        InputError: it is not text, or in an encoding that cannot be told.
    """
    if encoding is not None:
        return _as_named(content, file, encoding)
    marked = next((name for mark, name in _MARKS if content.startswith(mark)), None)
    wide = marked or _without_mark(content)
    if wide is None and b"\0" in content.rstrip(b"\0"):
        raise _not_text(file)
    try:
        found = Decoded(content.decode(wide or "utf-8"), wide or "utf-8")
    except UnicodeDecodeError:
        found = _nearly_utf8(content) or _guessed(content, file)
    return _require_text(found, file)


def _as_named(content: bytes, file: str, encoding: str) -> Decoded:
    try:
        text = content.decode(encoding)
    except LookupError:
        remedy = "give one that Python knows, such as gbk or cp1252"
        raise InputError(f"unknown encoding '{encoding}'", remedy=remedy, source=file) from None
    except UnicodeDecodeError:
        remedy = "name another encoding, or save it as UTF-8"
        raise InputError(f"is not text in {encoding}", remedy=remedy, source=file) from None
    return _require_text(Decoded(text.removeprefix("\ufeff"), encoding), file)


def _require_text(found: Decoded, file: str) -> Decoded:
    text = found.text.rstrip("\0")
    odd = sum(c < " " and c not in "\t\n\r\v\f\x1a\x1b\x1c\x1d\x1e" for c in text[:_JUDGED])
    if "\0" in text or 50 * odd > len(text):
        raise _not_text(file)
    return found._replace(text=text)


def _not_text(file: str) -> InputError:
    return InputError("is not text", remedy="give a transcript as text in UTF-8", source=file)


def _without_mark(content: bytes) -> str | None:
    """UTF-16 that does not say so: digits and line breaks have a zero on one side."""
    pairs = len(content) // 2
    for name, zero in (("utf-16-le", 1), ("utf-16-be", 0)):
        zeros, others = (content[side::2].count(0) for side in (zero, 1 - zero))
        if pairs and 10 * zeros >= pairs:
            # The ideographic space, which is common, has its zero on the other side.
            others -= content[: 2 * pairs].decode(name, "replace").count("\u3000")
            if 20 * others <= zeros:
                return name
    return None


def _nearly_utf8(content: bytes) -> Decoded | None:
    """UTF-8 with a few broken letters, as where a file was cut."""
    text = content.decode("utf-8", errors="replace")
    broken = text.count("\ufffd")
    wide = sum(c > "\x7f" for c in text) - broken
    return Decoded(text, "utf-8", broken) if wide >= 20 * broken else None


def _guessed(content: bytes, file: str) -> Decoded:
    scores: dict[str, tuple[float, str]] = {}
    for name, judge in _JUDGES.items():
        try:
            text = content.decode(name)
        except UnicodeDecodeError:
            continue
        scores[name] = judge(text[:_JUDGED]), text
    ranked = sorted(scores, key=lambda name: scores[name][0], reverse=True)
    if ranked:
        best, text = scores[ranked[0]]
        others = [scores[n][0] for n in ranked[1:] if scores[n][1] != text]
        if best >= _SURE and best - max(others, default=0.0) >= _CLEARLY:
            return Decoded(text, ranked[0])
    problem = "is in an encoding that cannot be told"
    raise InputError(problem, remedy="save it as UTF-8", source=file)


# What stands around words in any language.
_PUNCTUATION = frozenset("‘’“”„‚«»‹›–—…·•¿¡°£€§©®™♪♫\u00a0×÷²½¼¾°")
_WIDE_PUNCTUATION = frozenset("，。！？、；：“”‘’（）《》〈〉「」『』【】…—～·　♪－")


def _share(text: str, usual: Callable[[str], bool]) -> float:
    """The share of letters beyond ASCII that are usual."""
    letters = [c for c in text if c > "\x7f" and c not in _PUNCTUATION]
    return sum(map(usual, letters)) / len(letters) if letters else 0.0


def _rows(encoding: str, low: int, high: int) -> Callable[[str], bool]:
    """Whether a character lies where an encoding has those that are used most."""

    def usual(character: str) -> bool:
        if character in _WIDE_PUNCTUATION:
            return True
        try:
            code = character.encode(encoding)
        except UnicodeEncodeError:
            return False
        return len(code) == 2 and low <= code[0] <= high and (encoding == "big5" or code[1] > 0xA0)

    return usual


_hanzi, _traditional = _rows("gb2312", 0xB0, 0xD7), _rows("big5", 0xA4, 0xC6)
_kanji, _hangul = _rows("euc_jp", 0xB0, 0xCF), _rows("euc_kr", 0xB0, 0xC8)


def _chinese(text: str) -> float:
    # Hangul lies where the first half of the usual Chinese characters does.
    korean = len(text) > 40 or text.count(" ") > 0
    share = _share(text, _hanzi)
    try:
        same = text.encode("gb18030").decode("cp949")
    except UnicodeDecodeError:
        return share
    return share - 0.5 * (korean and _share(same, _hangul) >= _SURE)


def _japanese(text: str) -> float:
    kana = _share(text, lambda c: "\u3041" <= c <= "\u30fe")
    share = _share(text, lambda c: "\u3041" <= c <= "\u30fe" or _kanji(c))
    return share if kana >= 0.2 else 0.0


def _big5(text: str) -> float:
    share = _share(text, _traditional)
    codes = text.encode("big5", errors="ignore")
    # Its second bytes reach below those of the other encodings.
    return share if re.search(rb"[\xa4-\xc6][@-~]", codes) else share / 2


def _korean(text: str) -> float:
    return _share(text, _hangul)


# Letters that begin no word, and those that only end one.
_MISPLACED = re.compile(r"^[ьъыЬЪЫ]|[ךםןףץς]\w")


def _alphabet(letters: str, vowels: str, typical: float) -> Callable[[str], float]:
    """Of a script: its letters, with its vowels as often as is typical, and capitals in place."""
    usual = frozenset(letters + letters.upper())

    def judge(text: str) -> float:
        words = re.findall(r"[^\W\d_]+", text)
        high = [word for word in words if any(c > "\x7f" for c in word)]
        usual_words = [w for w in high if usual.issuperset(w) and not _MISPLACED.search(w)]
        good = [w for w in usual_words if w in (w.lower(), w.capitalize())]
        shouted = [w for w in usual_words if len(w) > 1 and w == w.upper() != w.lower()]
        count = sum(map(len, good)) + 0.8 * sum(map(len, shouted))
        other = sum(c > "\x7f" and not c.isalpha() and c not in _PUNCTUATION for c in text)
        said = [c for word in good + shouted for c in word.lower()]
        if not said:
            return 0.0
        lively = min(1.0, sum(c in vowels for c in said) / (typical * len(said)))
        return lively * count / (sum(map(len, high)) + other)

    return judge


_LATIN: Mapping[str, Iterable[str]] = {
    "cp1252": (
        *("àâæçéèêëîïôœùûüÿ", "äöüßé", "áéíñóúüºª", "áâãàçéêíóôõúü", "àèéìíîòóùú", "éèëïóöüáí"),
        *("åäöæøéüà", "áéíóúýþæöð", "àçéèíïóòúü", "éèêâïöüôîñçà"),
    ),
    "cp1250": ("ąćęłńóśźż", "áčďéěíňóřšťúůýžäľĺôŕ", "áéíóöőúüű", "čćđšž", "ăâîşţ", "äöüßé"),
    "cp1254": ("çğıiöşüâî",),
    "mac_roman": ("àâæçéèêëîïôœùûüÿ", "äöüßé", "áéíñóúü", "áâãàçéêíóôõú", "éêñüçï"),
}


# Where letters of the West stand as only those of the East do that have the same bytes.
_EASTERN = re.compile(
    r"(?:\b|^|[^\w])è(?=\w)|[^cvlbusrCVLBU]ê\b|.?(?:œ(?![uiUI])|õ(?!e)|ñ(?=[^aeiouáéíóú\W]|\b)|[ãþ](?=[^\W\d_]*[ãþº]))"
)


def _latin(encoding: str) -> Callable[[str], float]:
    """Of Latin letters with marks, those of one language, in words with plain letters."""
    alphabets = [frozenset(letters + letters.upper()) for letters in _LATIN[encoding]]

    def judge(text: str) -> float:
        marked = [m for m in re.finditer(r"[^\x00-\x7f]", text) if m[0] not in _PUNCTUATION]
        if not marked:
            return 0.95 if encoding == "cp1252" else 0.0
        western = encoding == "cp1252"
        plain = sum(c.isascii() and c.isalpha() for c in text) >= 2 * len(marked)
        letters = [
            m[0]
            for m in marked
            if _in_word(text, m.start(), alone=plain)
            and not (western and _EASTERN.match(text, max(m.start() - 1, 0)))
        ]
        best = max(sum(c in alphabet for c in letters) for alphabet in alphabets)
        # Where one byte means a letter in each, the West is meant more often.
        return best / len(marked) - (0.0 if western else 0.09)

    return judge


def _in_word(text: str, place: int, *, alone: bool) -> bool:
    """Whether a letter stands in a word with plain ones, if not `alone`, and capitals in place."""
    start, end = place, place + 1
    while start > 0 and text[start - 1].isalpha():
        start -= 1
    while end < len(text) and text[end].isalpha():
        end += 1
    word = text[start:end]
    cased = word in (word.lower(), word.upper()) or word[1:] == word[1:].lower()
    return len(word) == 1 or (cased and (alone or any(c < "\x80" for c in word)))


_RUSSIAN = "абвгдеёжзийклмнопрстуфхцчшщъыьэюяіїєґўђјљњћџ"
_GREEK = "αβγδεζηθικλμνξοπρσςτυφχψωάέήίόύώϊϋΐΰ"
_HEBREW = "אבגדהוזחטיךכלםמןנסעףפץצקרשת"
_ARABIC = "ءآأؤإئابةتثجحخدذرزسشصضطظعغفقكلمنهوىيپچژگکیً"
_JUDGES: Mapping[str, Callable[[str], float]] = {
    "gb18030": _chinese,
    "big5": _big5,
    "cp932": _japanese,
    "euc_jp": _japanese,
    "cp949": _korean,
    **dict.fromkeys(
        ("cp1251", "koi8-r", "cp866", "iso8859-5"), _alphabet(_RUSSIAN, "аеёиоуыэюяіїєў", 0.36)
    ),
    "cp1253": _alphabet(_GREEK, "αεηιουωάέήίόύώ", 0.42),
    "cp1255": _alphabet(_HEBREW, "אהוי", 0.28),
    "cp1256": _alphabet(_ARABIC, "اوىيی", 0.22),
    **{name: _latin(name) for name in _LATIN},
}
