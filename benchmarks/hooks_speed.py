"""What the hooks of `affuse explain` cost where nobody asks for an explanation.

    python benchmarks/hooks_speed.py [--out benchmarks/results/hooks_speed.csv]

The other build is made here: the source of each model with crossmodal attention is parsed, `detail`
and `trace` in it become False and None, every branch that they decide is taken out, and what is
left is compiled beside the real module. Both have the same weights and get the same batch, at the
widths and lengths of unaligned CMU-MOSI, and are timed in turns, whose order changes. The interval
is that of the median of the paired ratios, by its ranks.
"""

from __future__ import annotations

import argparse
import ast
import csv
import importlib
import inspect
import io
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from rich.console import Console

from affuse.files import write_atomic
from affuse.fusion import models
from fusion_speed import LENGTHS, WIDTHS, Case, infer, strides, train_step

HOOKS: Mapping[str, Any] = {"detail": False, "trace": None}
FOLDED = (ast.Constant, ast.Compare, ast.BoolOp, ast.UnaryOp, ast.unaryop, ast.boolop, ast.cmpop)
MODULES = ("layers", "hierarchy", "hct_mg", "mult")

progress = Console(stderr=True)


class WithoutHooks(ast.NodeTransformer):
    """Source in which nothing can be asked for: what `HOOKS` name is their value, and folded."""

    def __init__(self) -> None:
        self.folded = 0

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if isinstance(node.ctx, ast.Load) and node.id in HOOKS:
            return ast.copy_location(ast.Constant(HOOKS[node.id]), node)
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        # The names of the registry are taken.
        node.decorator_list = [d for d in node.decorator_list if "register" not in ast.dump(d)]
        return self.generic_visit(node)

    def visit_If(self, node: ast.If) -> Any:
        self.generic_visit(node)
        known = _value(node.test)
        if known is None:
            return node
        self.folded += 1
        return (node.body if known else node.orelse) or ast.Pass()

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        self.generic_visit(node)
        known = _value(node.test)
        if known is None:
            return node
        self.folded += 1
        return node.body if known else node.orelse


def _value(test: ast.expr) -> bool | None:
    """What a condition of constants comes to; None for any other."""
    if any(not isinstance(node, FOLDED) for node in ast.walk(test)):
        first = test.values[0] if isinstance(test, ast.BoolOp) else None
        decided = isinstance(first, ast.expr) and isinstance(test.op, ast.And)
        return False if decided and _value(first) is False else None
    return bool(eval(compile(ast.Expression(test), "<condition>", "eval")))


def without_hooks() -> tuple[dict[str, ModuleType], int]:
    """The modules of crossmodal models built anew without hooks, and how many branches went."""
    real = {name: importlib.import_module(f"affuse.fusion.{name}") for name in MODULES}
    built, folded = {}, 0
    try:
        for name, module in real.items():
            transformer = WithoutHooks()
            tree = transformer.visit(ast.parse(inspect.getsource(module)))
            folded += transformer.folded
            plain = ModuleType(module.__name__)
            plain.__dict__.update(__package__="affuse.models", __file__=module.__file__)
            # What is built later imports what was built before.
            sys.modules[module.__name__] = built[name] = plain
            exec(
                compile(ast.fix_missing_locations(tree), f"{name} without hooks", "exec"),
                plain.__dict__,
            )
    finally:
        sys.modules.update({module.__name__: module for module in real.values()})
    return built, folded


def pair(name: str, options: Mapping[str, Any], batch: int, built: dict[str, ModuleType]) -> Any:
    """A model of affuse, the same without hooks, and a batch for both."""
    model, data = Case(name, dict(options), batch).build()
    cls = models()[name].cls
    other = getattr(built[name], cls.__name__)(WIDTHS, 1, model.options)
    other.load_state_dict(model.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(model.eval()(data).prediction, other.eval()(data).prediction)
    return model, other, data


def ratios(
    action: Callable[..., None], model: Any, other: Any, batch: Any, repeats: int
) -> list[tuple[float, float]]:
    """Milliseconds of both builds, in pairs whose order changes; the first five warm up."""
    kept = []
    for turn in range(-5, repeats):
        times = {}
        for built in (model, other) if turn % 2 else (other, model):
            # The same dropout for both: what is dropped decides what is computed.
            torch.manual_seed(turn + 5)
            start = time.process_time()
            action(built, batch)
            times[built is model] = 1e3 * (time.process_time() - start)
        if turn >= 0:
            kept.append((times[True], times[False]))
    return kept


def median_interval(values: list[float]) -> tuple[float, float, float]:
    """The median and its 95% interval by ranks, whatever the distribution."""
    ordered, n = sorted(values), len(values)
    reach = 0.98 * n**0.5
    low, high = int(n / 2 - reach), min(n - 1, int(n / 2 + reach))
    return statistics.median(ordered), ordered[max(0, low)], ordered[high]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    default = Path(__file__).parent / "results" / "hooks_speed.csv"
    parser.add_argument("--out", type=Path, default=default)
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--batch", type=int, default=24, help="samples in a training step")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    built, folded = without_hooks()
    progress.print(f"{folded} branches taken out")
    cases = (
        ("train step", train_step, "hct_mg", strides(LENGTHS), arguments.batch, 1),
        ("inference", infer, "hct_mg", strides(LENGTHS), 1, 2),
        ("inference", infer, "mult", {}, 1, 1),
    )
    rows = []
    for measure, action, name, options, batch, times in cases:
        model, other, data = pair(name, options, batch, built)
        both = ratios(action, model, other, data, times * arguments.repeats)
        middle, low, high = median_interval([a / b for a, b in both])
        plain = (f"{statistics.median(column):.3f}" for column in zip(*both, strict=True))
        cost = (f"{100 * (x - 1):+.2f}" for x in (middle, low, high))
        rows.append([measure, name, batch, len(both), *plain, *cost])
        progress.print(*rows[-1])
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = "measure,model,batch,pairs,hooks_off_ms,no_hooks_ms,percent,percent_low,percent_high"
    writer.writerows([columns.split(","), *rows])
    write_atomic(arguments.out, text.getvalue().encode())


if __name__ == "__main__":
    main()
