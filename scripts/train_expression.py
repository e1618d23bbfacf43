"""Train src/affuse/extract/data/expression.onnx: a face of 48 by 48 pixels to what it expresses.

    python scripts/train_expression.py ferplus_48x48.npz

The file holds FER+ (Barsoum et al. 2016): `x` uint8 (N, 48, 48), the pixels as cameras gave them;
`votes` (N, 10), what ten people saw in each face; `usage`, the part of each. What they saw is
learnt as they saw it: votes for contempt, for unknown and for no face speak for every expression
alike, so that such a face leaves the network uncertain. Then it learns once more, half from the
votes and half from what it says itself of each face and its mirror image, which is less accidental
than ten people are (Furlanello et al. 2018, "Born-Again Neural Networks"). Faces that are nearly
alike in another part do not train. Every seventh face of the training part is left out, for models
that learn from what this network says, which on faces that it knows would be too good. Half of how
rare an expression is is made up for in training, and a quarter in answers, which validation found
to serve accuracy and mean recall alike. Nothing else is selected; the schedule ends where it ends,
and the test part is read afterwards (for the network that comes with affuse a first time after the
votes, before it was to learn from itself). The network stops and goes on where it was
(build/expression-*.pt). About an hour and a half of one core.
"""

from __future__ import annotations

import argparse
import io
import json
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from affuse.extract.face import EXPRESSIONS
from affuse.files import write_atomic


class Stage(NamedTuple):
    """Of training."""

    name: str
    epochs: int
    rate: float


FROM_VOTES, FROM_ITSELF = Stage("from-votes", 30, 3e-3), Stage("from-itself", 10, 1e-3)
KEPT_BACK = 7
BATCH, AVERAGE = 128, 0.998
# The order of the votes; the last three name no expression of ours.
VOTED = ("neutral", "happy", "surprise", "sad", "angry", "disgust", "fear")
NO_FACE = 9
BALANCE = 0.5  # the power of an expression's share that is taken out in training
GIVEN_BACK = 0.25  # and of that, what answers get back
ALIKE = 0.97  # cosine of two faces, centred and averaged to 16 by 16, that are taken for one
DATA = Path(__file__).parents[1] / "src" / "affuse" / "extract" / "data"


class Block(nn.Module):
    """Two convolutions beside a shortcut (He et al. 2016); a stride of 2 halves the picture."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(outputs) for _ in range(2))
        self.short = nn.Sequential()
        if inputs != outputs:
            self.short.append(nn.AvgPool2d(stride))
            self.short.append(nn.Conv2d(inputs, outputs, 1, bias=False))
            self.short.append(nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norms[1](self.second(F.relu(self.norms[0](self.first(x)))))
        return F.relu(y + self.short(x))


class ExpressionNetwork(nn.Module):
    """Grey pixels `(N, 1, 48, 48)` in 0 to 255 to logits `(N, 7)` and what they rest on, `(N, 64)`.

    Light and contrast are taken out of each face.
    """

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.Sequential(
            nn.Conv2d(1, 48, 5, stride=2, padding=2, bias=False),
            nn.BatchNorm2d(48),
            nn.ReLU(),
            Block(48, 48, 1),
            Block(48, 48, 1),
            Block(48, 96, 2),
            Block(96, 96, 1),
            Block(96, 192, 2),
            Block(192, 192, 1),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Dropout(0.4),
        )
        self.embed = nn.Linear(192, 64)
        self.head = nn.Linear(64, len(EXPRESSIONS))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, deviation = x.mean(dim=(1, 2, 3), keepdim=True), x.std(dim=(1, 2, 3), keepdim=True)
        embedding = torch.tanh(self.embed(self.blocks((x - mean) / (deviation + 1))))
        return self.head(embedding), embedding


def varied(x: Tensor) -> Tensor:
    """Faces mirrored, moved, turned, scaled and partly covered, as trackers deliver them."""
    count = len(x)
    angle = torch.empty(count).uniform_(-0.25, 0.25)
    size = torch.empty(count).uniform_(0.85, 1.2)
    mirror = torch.where(torch.rand(count) < 0.5, -1.0, 1.0)
    cos, sin = torch.cos(angle) * size, torch.sin(angle) * size
    shift = torch.empty(2, count).uniform_(-0.15, 0.15)
    theta = torch.stack([cos * mirror, -sin, shift[0], sin * mirror, cos, shift[1]], dim=1)
    grid = F.affine_grid(theta.view(count, 2, 3), list(x.shape), align_corners=False)
    x = F.grid_sample(x, grid, padding_mode="border", align_corners=False)
    side = x.shape[-1]
    steps = torch.arange(side)
    corner = torch.randint(-12, side, (2, count, 1))
    covered = [(steps >= c) & (steps < c + 12) for c in corner]
    cover = covered[0][:, None, :, None] & covered[1][:, None, None, :]
    return x.masked_fill(cover, 128.0)


def read(path: Path) -> dict[str, tuple[Tensor, Tensor]]:
    """Pixels `(N, 1, 48, 48)` and what is seen in them, `(N, 7)` in the order of `EXPRESSIONS`."""
    with np.load(path, allow_pickle=False) as data:
        pixels, votes, usage = data["x"], data["votes"].astype(np.float32), data["usage"]
    seen = votes[:, [VOTED.index(name) for name in EXPRESSIONS]]
    seen += (votes.sum(axis=1, keepdims=True) - seen.sum(axis=1, keepdims=True)) / len(EXPRESSIONS)
    seen /= seen.sum(axis=1, keepdims=True)
    faces = votes.argmax(axis=1) != NO_FACE
    names = {"train": "Training", "validation": "PublicTest", "test": "PrivateTest"}
    found = {part: np.flatnonzero((usage == name) & faces) for part, name in names.items()}
    held_out = np.concatenate([found["validation"], found["test"]])
    found["train"] = np.delete(found["train"], slice(None, None, KEPT_BACK))
    found["train"] = found["train"][~alike(pixels[found["train"]], pixels[held_out])]
    # Judged by the majority, where it is an expression.
    clear = votes.argmax(axis=1) < len(VOTED)
    found |= {part: found[part][clear[found[part]]] for part in ("validation", "test")}
    return {
        part: (torch.from_numpy(pixels[rows])[:, None], torch.from_numpy(seen[rows]))
        for part, rows in found.items()
    }


def alike(faces: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Which of the faces are nearly the same picture as one of the others: bool `(N,)`."""

    def small(pixels: np.ndarray) -> np.ndarray:
        blocks = pixels.reshape(-1, 16, 3, 16, 3).mean(axis=(2, 4), dtype=np.float32)
        flat = blocks.reshape(len(blocks), -1)
        flat = flat - flat.mean(axis=1, keepdims=True)
        return flat / (np.linalg.norm(flat, axis=1, keepdims=True) + 1e-6)

    known = small(others).T
    return np.concatenate(
        [
            (s @ known).max(axis=1) > ALIKE
            for s in np.split(small(faces), [*range(1000, len(faces), 1000)])
        ]
    )


def train(pixels: Tensor, seen: Tensor, valid: tuple[Tensor, Tensor]) -> ExpressionNetwork:
    """What learnt from the votes, and then from them and from itself."""
    torch.manual_seed(0)
    shares = seen.mean(dim=0).log()
    net = learn(ExpressionNetwork(), pixels, seen, BALANCE * shares, valid, FROM_VOTES)
    own = torch.cat([both_ways(net, x) for x in pixels.split(512)])
    wanted = (seen + (own + BALANCE * shares).softmax(dim=1)) / 2
    net = learn(net, pixels, wanted, BALANCE * shares, valid, FROM_ITSELF)
    with torch.no_grad():
        net.head.bias += GIVEN_BACK * shares
    return net


@torch.inference_mode()
def both_ways(net: ExpressionNetwork, pixels: Tensor) -> Tensor:
    """What it says of faces and of their mirror images, as one: logits `(N, 7)`."""
    x = pixels.float()
    return (net.eval()(x)[0] + net(x.flip(3))[0]) / 2


def learn(
    net: ExpressionNetwork,
    pixels: Tensor,
    wanted: Tensor,
    balance: Tensor,
    valid: tuple[Tensor, Tensor],
    stage: Stage,
) -> ExpressionNetwork:
    """The average of the weights over the last steps."""
    net.to(memory_format=torch.channels_last)
    mean = torch.optim.swa_utils.AveragedModel(
        net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(AVERAGE), use_buffers=True
    )
    optimiser = torch.optim.AdamW(net.parameters(), lr=stage.rate, weight_decay=0.02)
    steps = len(wanted) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, stage.rate, total_steps=stage.epochs * steps
    )
    parts = {"net": net, "mean": mean, "optimiser": optimiser, "schedule": schedule}
    file, begun = Path("build") / f"expression-{stage.name}.pt", 0
    if file.is_file():
        state = torch.load(file)
        begun = state.pop("epoch")
        for name, values in state.items():
            parts[name].load_state_dict(values)
    for epoch in range(begun, stage.epochs):
        start = time.monotonic()
        torch.manual_seed(epoch)
        net.train()
        for rows in torch.randperm(len(wanted))[: steps * BATCH].split(BATCH):
            x = varied(pixels[rows].float()).contiguous(memory_format=torch.channels_last)
            # Half as long on processors that know the type; what is kept is float32.
            with torch.autocast("cpu", torch.bfloat16):
                logits, _ = net(x)
            loss = F.cross_entropy(logits.float() + balance, wanted[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            mean.update_parameters(net)
        said = judged(mean.module, *valid)
        took = time.monotonic() - start
        progress = f"{stage.name} {epoch + 1}/{stage.epochs}"
        print(f"{progress}  validation {said}  {took:.0f} s", flush=True)
        buffer = io.BytesIO()
        states = {name: part.state_dict() for name, part in parts.items()}
        torch.save(states | {"epoch": epoch + 1}, buffer)
        file.parent.mkdir(exist_ok=True)
        write_atomic(file, buffer.getvalue())
    found: ExpressionNetwork = mean.module
    return found


@torch.inference_mode()
def judged(net: nn.Module, pixels: Tensor, seen: Tensor) -> dict[str, float]:
    """Accuracy and mean recall by what most people saw."""
    net.eval()
    said = torch.cat([net(x.float())[0].argmax(1) for x in pixels.split(512)])
    label = seen.argmax(dim=1)
    right = (said == label).float()
    recalls = [right[label == c].mean() for c in label.unique()]
    found = {"accuracy": right.mean(), "uar": torch.stack(recalls).mean()}
    return {name: round(float(value), 4) for name, value in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("faces", type=Path)
    parser.add_argument("--out", type=Path, default=DATA / "expression.onnx")
    arguments = parser.parse_args()
    parts = read(arguments.faces)
    net = train(*parts["train"], parts["validation"]).eval()
    size = sum(p.numel() for p in net.parameters())
    found = {part: judged(net, *parts[part]) for part in ("validation", "test")}
    print(json.dumps({"parameters": size, **found}))
    buffer = io.BytesIO()
    torch.onnx.export(
        net,
        (torch.zeros(1, 1, 48, 48),),
        buffer,
        input_names=["face"],
        output_names=["logits", "embedding"],
        dynamic_axes={name: {0: "faces"} for name in ("face", "logits", "embedding")},
        dynamo=False,
    )
    write_atomic(arguments.out, buffer.getvalue())


if __name__ == "__main__":
    main()
