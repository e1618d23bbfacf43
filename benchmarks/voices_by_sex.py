"""How well the shipped emotion checkpoint tells voices of women and of men.

    python benchmarks/voices_by_sex.py DATA [--card FILE]

Acted voices of RAVDESS, nEMO and SAVEE (men alone), by the voice alone, as they are and adapted to
each speaker, apart by whether the speaker was in training. With --card, the table and what differs
by more than five points go into a model card, such as src/affuse/checkpoints/emotion/README.md.
Writes benchmarks/results/voices_by_sex.csv.
"""

from __future__ import annotations

import argparse
import csv
import itertools
from pathlib import Path
from typing import NamedTuple

import affuse
from affuse.files import write_atomic
from affuse.readers.composed_sources import Piece
from affuse.readers.composed_voices import VOICES, acted_voices
from affuse.report.csv_tables import csv_text
from affuse.runtime.predictor import Predictor
from affuse.samples import Sample
from strangers import accuracy, uar
from tables import into_card
from voices_left_out import plain_of

RESULTS = Path(__file__).parent / "results" / "voices_by_sex.csv"
TITLE = "## Voices of women and men"
# Points of a hundred from which on a difference is named.
_NAMED = 5.0
_PARTS = {"train": "trained on", "valid": "validation", "test": "unseen"}
_NAMES = {"ravdess": "RAVDESS", "nemo": "nEMO", "savee": "SAVEE"}


class Row(NamedTuple):
    corpus: str
    speakers: str  # trained on, validation (training was stopped by them) or unseen
    sex: str
    adapted_to: str
    people: int
    takes: int
    accuracy: float
    uar: float


def sexes(data: Path, corpus: str) -> dict[str, str]:
    """The sex of each speaker, as their corpus tells it."""
    if corpus == "ravdess":
        return {f"ravdess {n:02}": "male" if n % 2 else "female" for n in range(1, 25)}
    if corpus == "savee":
        return {f"savee {name}": "male" for name in ("DC", "JE", "JK", "KL")}
    with (data / "voices" / corpus / "labels.csv").open(encoding="utf-8-sig") as lines:
        return {f"{corpus} {row['speaker_id']}": row["gender"] for row in csv.DictReader(lines)}


def said(predictor: Predictor, pieces: list[Piece], *, adapted: bool) -> list[str]:
    """What each voice is told to show."""
    usual, found = predictor.usual["audio"], []
    for _, group in itertools.groupby(pieces, key=lambda piece: piece.group):
        own = list(group)
        shift = usual.shift([piece.features for piece in own] if adapted else [])
        for piece in own:
            sample = Sample(piece.id, {"audio": shift.apply(piece.features)})
            found.append(predictor.predict_sample(sample).top or "")
    return found


def rows_of(data: Path, corpus: str, predictor: Predictor) -> list[Row]:
    reader, rows = predictor.extractor().features, []
    heard, _ = acted_voices(data, [corpus], reader, polar=False)
    pieces = sorted(plain_of(data, corpus, heard), key=lambda piece: piece.group)
    sex = sexes(data, corpus)
    for adapted in (False, True):
        tops = said(predictor, pieces, adapted=adapted)
        groups: dict[tuple[str, str], list[int]] = {}
        for number, piece in enumerate(pieces):
            groups.setdefault((_PARTS[piece.part], sex[piece.group]), []).append(number)
        for (part, name), numbers in sorted(groups.items()):
            true = [pieces[number].label for number in numbers]
            own = [tops[number] for number in numbers]
            people = len({pieces[number].group for number in numbers})
            adapted_to = "speaker" if adapted else "none"
            figures = round(accuracy(own, true), 4), round(uar(own, true), 4)
            rows.append(Row(_NAMES[corpus], part, name, adapted_to, people, len(numbers), *figures))
            print(rows[-1], flush=True)
    return rows


def differences(rows: list[Row]) -> list[str]:
    """Where one sex is told better by more than five points, a line each."""
    lines = []
    for one, other in itertools.combinations(rows, 2):
        same = (one.corpus, one.speakers, one.adapted_to)
        if same == (other.corpus, other.speakers, other.adapted_to):
            points = 100 * (one.uar - other.uar)
            if abs(points) > _NAMED:
                better = one.sex if points > 0 else other.sex
                lines.append(
                    f"{one.corpus}, {one.speakers}, adapted to {one.adapted_to}: {better} voices "
                    f"are told better by {abs(points):.0f} points of UAR."
                )
    return lines


def card_section(rows: list[Row]) -> str:
    """The table as Markdown, with what differs."""
    lines = [
        f"{TITLE}\n",
        "The voice alone, of acted takes, by the sex that a corpus tells; of its own classes.\n",
        "| corpus | speakers | sex | people | takes | UAR | UAR, adapted to the speaker |",
        "|---|---|---|---|---|---|---|",
    ]
    adapted = {row[:3]: row.uar for row in rows if row.adapted_to == "speaker"}
    lines += [
        f"| {r.corpus} | {r.speakers} | {r.sex} | {r.people} | {r.takes} | {r.uar:.3f} "
        f"| {adapted[r[:3]]:.3f} |"
        for r in rows
        if r.adapted_to == "none"
    ]
    told = differences(rows) or ["No difference is above 5 points."]
    lines += ["", *(f"- {line}" for line in told), ""]
    unseen = {row.sex for row in rows if row.speakers == "unseen"}
    if unseen == {"male"}:
        lines.append(
            "All unseen speakers are men: how well unseen women are told is not known from these. "
            "By those of\nvalidation training was stopped, and probabilities were calibrated.\n"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--card", type=Path, help="a model card that the table goes into")
    parser.add_argument("--checkpoint", default="emotion")
    arguments = parser.parse_args()
    predictor = affuse.load(arguments.checkpoint)
    rows = [row for corpus in VOICES for row in rows_of(arguments.data, corpus, predictor)]
    write_atomic(RESULTS, csv_text(Row._fields, [row._asdict() for row in rows]).encode())
    if arguments.card is not None:
        into_card(arguments.card, card_section(rows))


if __name__ == "__main__":
    main()
