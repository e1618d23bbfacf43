"""Every ablation is one that a benchmark can be asked for."""

from __future__ import annotations

from affuse.harness.ablations import ablations
from affuse.training.presets import plan


def test_settings_are_known_and_change_one_thing() -> None:
    rows = ablations(("text", "audio"))
    assert rows[0].settings == {}
    whole = plan("controlled", "hct_mg", {}).options
    for row in rows[1:]:
        changed = plan("controlled", "hct_mg", row.settings).options
        assert len(changed.items() - whole.items()) == 1
    assert len({row.name for row in rows}) == len(rows)


def test_a_fixed_gate_for_each_modality() -> None:
    fixed = [r.settings["hct_mg.gate"] for r in ablations(("a", "b")) if "fixed" in r.name]
    assert fixed == ["fixed:a", "fixed:b"]
