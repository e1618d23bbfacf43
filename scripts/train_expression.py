"""Train src/affuse/extract/data/expression.onnx: a face of 48 by 48 pixels to what it expresses.

    python scripts/train_expression.py fer2013_48x48.npz

The file holds FER-2013 (Goodfellow et al. 2013): `x` uint8 (N, 48, 48), `label` and `folder`, the
part of each. Every seventh face of the training part is left out, for models that learn from what
this network says, which on faces that it knows would be too good. Nothing is
selected; the schedule ends where it ends, and the test part is read once, afterwards. The network
stops and goes on where it was (build/expression.pt). About half an hour of one core.
"""

from __future__ import annotations

import argparse
import io
import json
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from affuse.extract.face import EXPRESSIONS
from affuse.files import write_atomic

KEPT_BACK = 7
EPOCHS, BATCH, RATE, AVERAGE = 20, 128, 3e-3, 0.995
DATA = Path(__file__).parents[1] / "src" / "affuse" / "extract" / "data"
STATE = Path("build") / "expression.pt"


class Block(nn.Module):
    """Two convolutions that halve the picture, beside a shortcut (He et al. 2016)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.short = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(outputs) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norms[1](self.second(F.relu(self.norms[0](self.first(x)))))
        return F.relu(y + self.norms[2](self.short(F.avg_pool2d(x, 2))))


class ExpressionNetwork(nn.Module):
    """Grey pixels `(N, 1, 48, 48)` in 0 to 255 to logits `(N, 7)` and what they rest on, `(N, 64)`.

    Light and contrast are taken out of each face.
    """

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.Sequential(
            nn.Conv2d(1, 32, 5, stride=2, padding=2, bias=False),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            Block(32, 64),
            Block(64, 128),
            Block(128, 192),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Dropout(0.3),
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
    """Pixels and labels of each part."""
    with np.load(path, allow_pickle=False) as data:
        pixels = torch.from_numpy(data["x"])[:, None]
        labels = torch.tensor([EXPRESSIONS.index(str(label)) for label in data["label"]])
        folder = data["folder"]
    found = {part: np.flatnonzero(folder == part) for part in ("train", "validation", "test")}
    found["train"] = np.delete(found["train"], slice(None, None, KEPT_BACK))
    return {part: (pixels[rows], labels[rows]) for part, rows in found.items()}


def train(pixels: Tensor, labels: Tensor, valid: tuple[Tensor, Tensor]) -> nn.Module:
    """The average of the weights over the last steps."""
    torch.manual_seed(0)
    net = ExpressionNetwork().to(memory_format=torch.channels_last)
    mean = torch.optim.swa_utils.AveragedModel(
        net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(AVERAGE), use_buffers=True
    )
    optimiser = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=0.02)
    steps = EPOCHS * (len(labels) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=steps)
    parts = {"net": net, "mean": mean, "optimiser": optimiser, "schedule": schedule}
    begun = 0
    if STATE.is_file():
        state = torch.load(STATE)
        begun = state.pop("epoch")
        for name, values in state.items():
            parts[name].load_state_dict(values)
    for epoch in range(begun, EPOCHS):
        start = time.monotonic()
        torch.manual_seed(epoch)
        net.train()
        for rows in torch.randperm(len(labels))[: steps // EPOCHS * BATCH].split(BATCH):
            x = varied(pixels[rows].float()).contiguous(memory_format=torch.channels_last)
            loss = F.cross_entropy(net(x)[0], labels[rows], label_smoothing=0.1)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            mean.update_parameters(net)
        right = accuracy(mean.module, *valid)
        took = time.monotonic() - start
        print(f"epoch {epoch + 1}/{EPOCHS}  validation {right:.3f}  {took:.0f} s", flush=True)
        buffer = io.BytesIO()
        torch.save(
            {name: part.state_dict() for name, part in parts.items()} | {"epoch": epoch + 1}, buffer
        )
        STATE.parent.mkdir(exist_ok=True)
        write_atomic(STATE, buffer.getvalue())
    return mean.module


@torch.inference_mode()
def accuracy(net: nn.Module, pixels: Tensor, labels: Tensor) -> float:
    net.eval()
    batches = zip(pixels.split(512), labels.split(512), strict=True)
    right = sum(int((net(x.float())[0].argmax(1) == y).sum()) for x, y in batches)
    return right / len(labels)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("faces", type=Path)
    parser.add_argument("--out", type=Path, default=DATA / "expression.onnx")
    arguments = parser.parse_args()
    parts = read(arguments.faces)
    net = train(*parts["train"], parts["validation"]).eval()
    size = sum(p.numel() for p in net.parameters())
    found = {part: round(accuracy(net, *parts[part]), 4) for part in ("validation", "test")}
    print(json.dumps({"parameters": size, "accuracy": found}))
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
