"""Ranges beside options: what they hold, and what is searched of a model that declares none."""

from __future__ import annotations

from typing import Annotated

import pytest
from pydantic import Field

from affuse.config import Choice, Options, Range, declared_space


class Parent(Options):
    width: Annotated[int, Range(8, 32, multiple_of="heads")] = Field(16, ge=1)
    heads: int = 4
    dropout: float = 0.1


class Child(Parent):
    kernel: Annotated[int, Choice(1, 3)] = 3


class Plain(Options):
    width: int = 40
    heads: int = 4
    dropout: float = 0.1
    input_dropout: float = 0.1
    dropout_schedule: str = "none"
    layers: int = 2


class Bare(Options):
    width: int = 1
    residual_dropout: int = 0


def test_what_is_declared_is_searched_and_nothing_else() -> None:
    width = Range(8, 32, multiple_of="heads")
    assert declared_space(Parent) == {"width": width}
    assert declared_space(Child) == {"width": width, "kernel": Choice(1, 3)}
    assert (Parent().width, Child(kernel=1).kernel) == (16, 1)


def test_without_a_declaration_the_usual_names_are_searched() -> None:
    space = declared_space(Plain)
    assert space["width"] == Range(20, 80, multiple_of="heads")
    assert set(space) == {"width", "dropout", "input_dropout"}
    assert declared_space(Bare) == {"width": Range(1, 2)}
    assert declared_space(Options) == {}


@pytest.mark.parametrize(
    ("entry", "inside", "outside"),
    [
        (Range(8, 32, step=8), (8, 16, 32), (4, 12, 40, None, "8")),
        (Range(0.1, 0.7, step=0.2), (0.1, 0.3, 0.1 + 2 * 0.2, 0.7), (0.2, 0.0, 0.9)),
        (Range(1e-4, 1e-2, log=True), (1e-4, 3e-3), (1e-5, 0.1)),
        (Choice("a", 2, None), ("a", 2, None), ("b", 1)),
    ],
)
def test_what_a_range_holds(entry, inside, outside) -> None:
    assert all(entry.holds(value) for value in inside)
    assert not any(entry.holds(value) for value in outside)
