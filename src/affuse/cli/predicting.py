"""What `affuse predict` prints and writes of clips, as they are answered."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from affuse.cli.common import TO_SCREEN, json_line, say_notices
from affuse.ending import kept_on_sigterm
from affuse.errors import InputError
from affuse.files import make_folder, write_atomic, written_atomic
from affuse.progress import say, work_bar
from affuse.report.answer_files import account_lines, to_csv, to_srt, top_emotion, value_names
from affuse.report.case_media import clip_media
from affuse.report.pages import prediction_page
from affuse.scale.prediction import Outcome, Prediction, Request
from affuse.scale.remote import is_url
from affuse.service.client import ServiceClient
from affuse.service.client_engine import AT_ONCE, ServiceEngine

# More clips than that are summed up, instead of a row each and a line for each notice.
_SHOWN = 1000
# Characters of a line that has room for a column for each of several values.
_WIDE = 96
Content = Mapping[str, Any]
_WRITERS: dict[str, Callable[[Content], str]] = {"csv": lambda one: to_csv([one]), "srt": to_srt}


class Wishes(NamedTuple):
    """What is to be made of answers beside what the request keeps."""

    files: tuple[str, ...] = ()  # forms of a file a clip
    json_file: Path | None = None
    csv: bool = False  # on the screen
    plays: bool = False  # whether a page plays its clip
    copies: bool = False  # from a copy beside it


def predict_and_tell(request: Request, wishes: Wishes) -> bool:
    """Do what is asked for, and tell; whether any clip has no answer."""
    prediction = Prediction(request)
    if prediction.repeated:
        say(f"{prediction.repeated} clips are named more than once, and done once")
    few = prediction.total <= _SHOWN
    shown: dict[int, dict[str, Any]] = {}
    with (
        kept_on_sigterm(goes_on=bool(request.out or request.parquet)),
        _json_lines(wishes.json_file) as lines,
        closing(_outcomes(prediction, ordered=few or lines is not None)) as outcomes,
    ):
        for one in outcomes:
            if one.content is None:
                typer.echo(f"affuse: {one.error}", err=True)
                continue
            if few:
                say_notices(one.file, one.content["notices"])
            _write(one, one.content, wishes, request.out)
            if lines is not None:
                lines.write(f"{json_line(one.content)}\n".encode())
                lines.flush()
            if few or wishes.csv:
                shown[one.number] = _kept(one.content, whole=wishes.csv or prediction.total == 1)
    _tell([shown[number] for number in sorted(shown)], prediction, request, wishes)
    return prediction.failed > 0


def _tell(
    answers: Sequence[Content], prediction: Prediction, request: Request, wishes: Wishes
) -> None:
    if wishes.csv:
        typer.echo(to_csv(answers), nl=False)
    elif wishes.json_file != TO_SCREEN:
        _show(answers)
        if prediction.total > _SHOWN or request.parquet is not None:
            _sum_up(prediction, request)


def _outcomes(prediction: Prediction, *, ordered: bool) -> Generator[Outcome]:
    """What becomes of clips, with a bar on the way."""
    began = time.monotonic()
    with work_bar("predict", "clips") as update:

        def show(word: str) -> None:
            # What was done before took no time.
            done, total = prediction.done - prediction.known, prediction.total - prediction.known
            update(done, total, word)

        show("")
        on_word = show if prediction.total < 8 else lambda _: None
        with closing(prediction.run(on_word, ordered=ordered)) as outcomes:
            for one in outcomes:
                show(f"{Path(one.file).name}{_pace(prediction, time.monotonic() - began)}")
                yield one


def _pace(prediction: Prediction, seconds: float) -> str:
    done = prediction.answered + prediction.failed
    if done < 8 or seconds <= 0:
        return ""
    pace = f"{done / seconds * 3600:,.0f} clips an hour"
    return f"; {pace}, {prediction.seconds / seconds:.1f} times real time"


@contextmanager
def _json_lines(json_file: Path | None) -> Iterator[IO[bytes] | None]:
    """Where lines of JSON go, on the screen as they come."""
    if json_file is None:
        yield None
    elif json_file == TO_SCREEN:
        yield typer.get_binary_stream("stdout")
    else:
        with written_atomic(json_file) as file:
            yield file


def _write(one: Outcome, content: Content, wishes: Wishes, out: Path | None) -> None:
    for form in wishes.files:
        place = (out or Path()) / f"{one.name}.{form}"
        make_folder(place.parent)
        text = _page(one, content, wishes, place) if form == "html" else _WRITERS[form](content)
        write_atomic(place, text.encode())


def _page(one: Outcome, content: Content, wishes: Wishes, place: Path) -> str:
    """The page of a clip, which plays it where that is asked for and the clip lies here."""
    if "segment" in content:
        content = {**content, "duration": content["segment"][1]}  # it counts from the file's start
    if not wishes.plays or is_url(one.file):
        return prediction_page(content)
    media = clip_media(Path(one.file), content["duration"], place, copy=wishes.copies)
    return prediction_page(content, media)


def service_engine(
    url: str, engine: str, checkpoint: str | None, jobs: int | None
) -> ServiceEngine:
    """Has a service answer; `jobs` are asked for at once."""
    if engine != "local":
        raise InputError("--engine and --server both", remedy="choose one")
    return ServiceEngine(ServiceClient(url), checkpoint, jobs or AT_ONCE)


def _kept(content: dict[str, Any], *, whole: bool) -> dict[str, Any]:
    """What is shown of an answer at the end."""
    return content if whole else {**content, "timeline": [], "words": []}


def _sum_up(prediction: Prediction, request: Request) -> None:
    parts = [f"{prediction.answered} clips answered"]
    parts += [f"{prediction.known} before"] if prediction.known else []
    parts += [f"{prediction.failed} failed"] if prediction.failed else []
    places = [str(place) for place in (request.parquet, request.out) if place is not None]
    where = f"; in {' and '.join(places)}" if places else ""
    typer.echo(f"{', '.join(parts)}{where}")


def _show(answers: Sequence[Content]) -> None:
    """A table of clips, or of the windows of a single one."""
    if not answers:
        return
    single = len(answers) == 1 and len(answers[0]["timeline"]) > 1
    rows = [*answers, *answers[0]["timeline"]] if single else list(answers)
    console = Console()
    figures = list(dict.fromkeys(name for one in answers for name in value_names(one)))
    if not figures or any(row["sentiment"] is not None for row in rows):
        figures.insert(0, "sentiment")
    # Where there is no room for a column each, they stand below each other.
    parts = [[name] for name in figures] if console.width >= _WIDE else [figures]
    names = ("clip", "seconds", *map("\n".join, parts), "emotion", "primary", "conflict")
    table = Table(*names, *(() if single else ("notices",)))
    if len(answers) == 1:
        table.caption = escape("\n".join(account_lines(answers[0])))
        table.caption_justify = "left"
    for cells in _cells(rows, parts, single=single):
        table.add_row(*cells)
    console.print(table)


def _cells(
    rows: Iterable[Content], figures: Sequence[Sequence[str]], *, single: bool
) -> Iterator[tuple[str, ...]]:
    for row in rows:
        told = {"sentiment": row["sentiment"], **(row.get("values") or {})}
        top, primary = top_emotion(row), row["primary"]
        start, end = row.get("start", 0.0), row.get("end", row.get("duration"))
        emotion = "" if top is None else f"{top} {row['emotion'][top]:.0%}"
        emotion = f"undecided, {emotion}" if row.get("undecided") else emotion
        yield (
            Path(row["file"]).name if "file" in row else "",
            f"{start:.1f}-{end:.1f}",
            *(_stacked([told.get(name) for name in part]) for part in figures),
            emotion if row["gate"] else "nothing seen or heard",
            "" if primary is None else f"{primary} {row['gate'][primary]:.2f}",
            "" if row["conflict"] is None else f"{row['conflict']:.2f}",
            *(() if single else (str(len(row["notices"]) or ""),)),
        )


def _stacked(values: Sequence[float | None]) -> str:
    """A line for each value; nothing where none is told."""
    lines = ["" if value is None else f"{value:+z.2f}" for value in values]
    return "\n".join(lines) if any(lines) else ""
