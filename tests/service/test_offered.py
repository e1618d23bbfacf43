"""The checkpoints that a service offers by name."""

from __future__ import annotations

import pytest

from affuse.errors import InputError
from affuse.runtime.checkpoints import SHIPPED
from affuse.service.offered import Offered


def test_those_that_answer_side_by_side_share_a_name() -> None:
    offered = Offered(None)
    listed = offered.to_dict()
    kinds = {name: [] for name in ("sentiment", "emotion", "circumplex", "multilingual")}
    for one in listed["checkpoints"]:
        kinds[one["name"]].append(one["kind"])
    assert kinds == {
        "sentiment": ["value"],
        "emotion": ["classes"],
        "circumplex": ["values"],
        "multilingual": ["value", "classes"],
    }
    assert listed["default"] == ["sentiment", "emotion", "circumplex"]
    assert offered.place("multilingual") == str(SHIPPED / "multilingual")


def test_a_name_that_is_not_offered_is_refused() -> None:
    with pytest.raises(InputError, match="unknown checkpoint 'multilingul'; did you mean"):
        Offered(None).require("multilingul")
