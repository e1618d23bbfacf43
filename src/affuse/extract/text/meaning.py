"""Whether words say anything of what is meant or felt, or only hold sentences together."""

from __future__ import annotations

import re
from collections.abc import Iterable

from affuse.extract.text import KnowsWords
from affuse.extract.text.transcript import Word

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")

# Closed classes of English, which most models learned from, without what denies, agrees or cries
# out; and syllables that are sung or stand for a pause. A word of another language is none of them.
_EMPTY = frozenset(
    """
    a an the this that these those of to in on at by for from with into onto about as and or but if
    than then so because while i you he she it we they me him her us them my your his its our their
    mine yours hers ours theirs myself yourself himself herself itself ourselves themselves who whom
    whose which what when where why how there here is am are was were be been being do does did
    doing have has had having will would shall should can could may might must it's i'm he's she's
    we're they're you're i've we've they've you've that's there's over under up down out off through
    between during before after above below both each any some such same own also s t
    la lala na nana da dada ta ra ba di du do dum dee doo bla blah tra uh um uhm er erm eh hm hmm mm
    mhm
    """.split()
)


def say_something(words: Iterable[Word], features: KnowsWords) -> bool:
    """Whether any of the words is one that features know and means something by itself."""
    found = _WORD.findall(" ".join(word.text for word in words).lower().replace("’", "'"))
    return any(word not in _EMPTY and features.knows(word) for word in found)
