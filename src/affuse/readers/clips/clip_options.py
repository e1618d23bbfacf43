"""Options of the reader `clips`, and the settings of extraction that follow from them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from affuse.config import parted
from affuse.extract.features import ClipSettings
from affuse.extract.text import Layer, TextChoice, TextKind
from affuse.extract.text.minilm import PACKED_LAYERS

# Steps that are averaged, so that streams have 20 or 25 a second.
_POOL = {"frames": 5, "speech": 2}


class ClipsOptions(TextChoice):
    """Options of the reader `clips`."""

    label: Annotated[tuple[str, ...], BeforeValidator(parted)] = Field(
        default=(),
        description="the column with labels, or several of 0 and 1 with + between; by default the "
        "one that is left",
    )
    labels: Literal["auto", "values", "classes"] = Field(
        default="auto", description="what it holds; by default numbers are values, words classes"
    )
    bounds: tuple[float, float] | None = Field(
        default=None,
        description="of values, lowest and highest; by default what the labels suggest",
    )
    group: str = Field(
        default="",
        description="the column of what parts must not share; by default group or speaker",
    )
    folds: int = Field(
        default=5,
        ge=1,
        le=50,
        description="where no column split is: so many, each tested once; 1 tests a fifth",
    )
    division: int = Field(default=0, ge=0, description="seed of that division")
    modalities: Annotated[
        tuple[Literal["text", "audio", "vision"], ...], BeforeValidator(parted)
    ] = Field(
        default=("text", "audio", "vision"),
        min_length=1,
        description="what is used, with + between",
    )
    audio: Literal["frames", "functionals", "speech", "summary"] = Field(
        default="summary",
        description="of the voice, one step of statistics: functionals, or summary with those of a "
        "speech encoder; or streams: frames of descriptors, or speech, the encoder's states",
    )
    text: TextKind = "minilm8"
    layers: tuple[Layer, ...] = Field(
        default=PACKED_LAYERS, min_length=1, description="hidden layers of minilm8, minilm or e5"
    )
    pool: int | None = Field(
        default=None,
        ge=1,
        le=100,
        description="frames or states averaged into one step; by default 20 or 25 steps a second",
    )
    fps: float = Field(default=5.0, gt=0, le=60, description="faces read a second, at most")
    expression: bool = Field(default=True, description="what the expression network reads in faces")
    window: float = Field(
        default=10.0, ge=1, le=60, description="seconds that statistics are of, at most"
    )
    recognise: bool = Field(default=False, description="recognise speech where there is no text")
    outside: bool = Field(default=False, description="read files that lie out of the folder too")
    strict: bool = Field(default=False, description="refuse where any clip cannot be read")
    jobs: int = Field(default=0, ge=0, description="processes that extract; 0 is one a core")

    @model_validator(mode="after")
    def _rising(self) -> ClipsOptions:
        if self.bounds is not None and self.bounds[0] >= self.bounds[1]:
            raise ValueError("bounds need the lower one first")
        return self

    def settled(self) -> ClipsOptions:
        """The same with what None stands for here."""
        return self.model_copy(update={"pool": self.pool or _POOL.get(self.audio, 1)})

    def described(self) -> ClipsOptions:
        """The same without what leaves the corpus as it is."""
        return self.model_copy(update={"jobs": 0, "strict": False})

    def settings(self) -> ClipSettings:
        """How clips are extracted; of settled options."""
        shared = ClipSettings.model_fields.keys() & type(self).model_fields.keys()
        return ClipSettings.model_validate(self.model_dump(include=set(shared)))
