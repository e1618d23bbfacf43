"""What a model trains on: which devices, in how many processes, and how precisely it counts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from affuse.errors import InputError, unknown_name
from affuse.training.devices import AUTO, resolve_device

ACCELERATORS = (AUTO, "cpu", "gpu")
PRECISIONS = ("32", "bf16-mixed")
STRATEGIES = ("ddp",)


@dataclass(frozen=True)
class Compute:
    """Devices and processes of a training. One of each by default.

    Attributes:
        device: one by name (`affuse.training.devices.resolve_device`).
        accelerator: their kind instead, `cpu` or `gpu`.
        devices: of each node, with a process each that takes its share of every batch.
        nodes: machines. Each runs the same command, with `NODE_RANK`, `MASTER_ADDR` and
            `MASTER_PORT` in its environment.
        precision: `32`, or `bf16-mixed` for forward passes of training in bfloat16.
        strategy: how processes work together; `ddp` is the one there is.
        deterministic: on a GPU, only operators that give the same bits each time, which are slower.
            A processor's do.
        slot: which of several trainings at once on this machine; each has GPUs of its own, as far
            as there are.
    """

    device: str = AUTO
    accelerator: str = AUTO
    devices: int = 1
    nodes: int = 1
    precision: str = "32"
    strategy: str = "ddp"
    deterministic: bool = False
    slot: int = 0

    @property
    def processes(self) -> int:
        """Of all nodes."""
        return self.devices * self.nodes

    @property
    def node(self) -> int:
        """The number of this one."""
        named = (os.environ.get(name) for name in ("NODE_RANK", "GROUP_RANK", "SLURM_NODEID"))
        return int(next(filter(None, named), 0)) if self.nodes > 1 else 0

    @property
    def leads(self) -> bool:
        """Whether this node writes what all have made."""
        return self.node == 0

    @property
    def name(self) -> str:
        """One device of these, as `resolve_device` takes it, for what is no training."""
        place = self.places()[0]
        return place.type if place.index is None else f"{place.type}:{place.index}"

    def on_slot(self, slot: int) -> Compute:
        """The same for one of several trainings at once."""
        return replace(self, slot=slot)

    def places(self) -> list[torch.device]:
        """This node's devices, one a process.

        Raises:
            InputError: this machine does not have them, or names that contradict each other.
        """
        first = resolve_device(self._kind())
        if first.type == "cpu":
            return [first] * self.devices
        named = self.device.partition(":")[2] or first.type != "cuda"
        if self.devices > 1 and named:
            problem = f"{self.devices} devices on {first}, which is one"
            raise InputError(problem, remedy="name the kind: --accelerator gpu, or cpu")
        if named:
            return [first]
        count = torch.cuda.device_count()
        if self.devices > count:
            problem = f"{self.devices} devices, and this machine has {count} GPU(s)"
            raise InputError(problem, remedy=f"give --devices {count}, or --accelerator cpu")
        begin = self.slot % (count // self.devices) * self.devices
        return [torch.device("cuda", begin + n) for n in range(self.devices)]

    def _kind(self) -> str:
        """What `resolve_device` is asked for."""
        if self.accelerator not in ACCELERATORS:
            raise unknown_name("accelerator", self.accelerator, ACCELERATORS)
        if self.accelerator == AUTO:
            return self.device
        if (self.device, self.accelerator) in ((AUTO, "cpu"), ("cpu", "cpu")):
            return "cpu"
        if self.accelerator == "cpu" or self.device == "cpu":
            problem = f"device {self.device} and accelerator {self.accelerator}"
            raise InputError(problem, remedy="give one of them")
        if self.device == AUTO and torch.backends.mps.is_available():
            return "mps"
        return "cuda" if self.device == AUTO else self.device

    def require(self) -> Compute:
        """Itself, once all has been checked that this machine can tell.

        Raises:
            InputError: as `places`; numbers below 1, another precision or strategy than there is,
                or nodes that cannot find each other.
        """
        if min(self.devices, self.nodes) < 1:
            raise InputError("devices and nodes", remedy="give 1 or more of each")
        if self.precision not in PRECISIONS:
            raise unknown_name("precision", self.precision, PRECISIONS)
        if self.strategy not in STRATEGIES:
            raise unknown_name("strategy", self.strategy, STRATEGIES)
        place = self.places()[0]
        half = self.precision == "bf16-mixed"
        old = place.type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False)
        if half and (old or place.type == "mps"):
            problem = f"{place} does not count in bfloat16"
            raise InputError(problem, remedy="leave out --precision, or use another device")
        if self.nodes > 1:
            self._require_address()
        return self

    def require_here(self) -> Compute:
        """Likewise, for many trainings that one machine does.

        Raises:
            InputError: as `require`, or several nodes.
        """
        if self.nodes > 1:
            remedy = "train one with affuse train, or give each machine runs of its own"
            raise InputError(f"{self.nodes} nodes for each of many runs", remedy=remedy)
        return self.require()

    def _require_address(self) -> None:
        needed = ("MASTER_ADDR", "MASTER_PORT")
        numbered = ("NODE_RANK", "GROUP_RANK", "SLURM_NODEID")
        if not (all(map(os.environ.get, needed)) and any(map(os.environ.get, numbered))):
            raise InputError(
                f"{self.nodes} nodes that do not know each other",
                remedy="set MASTER_ADDR and MASTER_PORT to an address of the first node, and "
                "NODE_RANK to the number of each, from 0",
            )
        if not 0 <= self.node < self.nodes:
            problem = f"node {self.node} of {self.nodes}"
            raise InputError(problem, remedy=f"give each a NODE_RANK from 0 to {self.nodes - 1}")

    def identity(self) -> dict[str, Any]:
        """What of it decides how a training ends, as JSON content; empty for the default."""
        said = {"processes": self.processes, "precision": self.precision}
        return {key: value for key, value in said.items() if value != _DEFAULT[key]}


_DEFAULT = {"processes": 1, "precision": "32"}


def compute_in_words(identity: Mapping[str, Any]) -> str:
    """What `Compute.identity` gave, for a line."""
    said = {**_DEFAULT, **identity}
    plural = "" if said["processes"] == 1 else "es"
    return f"{said['processes']} process{plural} at precision {said['precision']}"


def jobs_at_once(compute: Compute) -> int:
    """Trainings side by side that this machine is best used by: one a core, or one a GPU."""
    if compute.places()[0].type == "cpu":
        return max((os.cpu_count() or 1) // compute.devices, 1)
    named = compute.device.partition(":")[2]
    return 1 if named else max(torch.cuda.device_count() // compute.devices, 1)
