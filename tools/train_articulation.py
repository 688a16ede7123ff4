"""Train the speech-to-articulation network on a GPU or one CPU thread; resumes from its checkpoint.

    python -m tools.train_articulation --corpus corpus --export articulation.npz

runs the whole recipe (CYCLES) and writes the float16 weights with their description; checkpoints
stand in OUT as it goes. `--from-weights FILE.npz --first-cycle 1` goes on from finished weights
with the cycles after the first.
"""

from __future__ import annotations

import argparse
import subprocess
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from avatar_service.audio.mel import log_mel
from avatar_service.errors import AvatarError
from avatar_service.motion.articulation_net import ArticulationNet, ArticulationOutput
from avatar_service.motion.articulation_parameters import (
    ArticulationNetConfig,
    ArticulationParameters,
    load_weights,
    save_weights,
)
from avatar_service.motion.coarticulation import GRID_SECS, viseme_grid
from avatar_service.motion.torch_device import torch_device
from avatar_service.motion.visemes import CLOSURE, LABIODENTAL, VISEME_INDEX
from avatar_service.training.learner import Learner, rate_share, read_checkpoint
from tools.corpus.augment import HARSH, MILD
from tools.corpus.batches import Batch, BatchMaker
from tools.corpus.store import Utterance

_CLASS_WEIGHTS: Final = {"PP": 1.6, "FF": 1.9, "TH": 1.2, "ou": 1.2}
_EVENTS: Final = ((CLOSURE, 2.0), (LABIODENTAL, 3.0))
"""Contacts, and how much more a missed one costs than a false one."""
_SMOOTH_COLUMNS: Final = (0, 2, 3, 4, 6)
_SMOOTH_WEIGHT: Final = 8.0
_EVENT_WEIGHT: Final = 0.6
_VELOCITY_WEIGHT: Final = 20.0
_BOUNDARY_WEIGHT: Final = 0.5
"""A step whose neighbour has another viseme counts less: labels are not exact to 20 ms."""
_WARM_UP: Final = 0.05


@dataclass(frozen=True, slots=True)
class Cycle:
    """A stretch of training with one warm-up and one cosine decay.

    Attributes:
        steps: its length.
        peak_rate: highest learning rate.
        mild_steps: how many steps at its beginning hear mildly disturbed speech only.
    """

    steps: int
    peak_rate: float
    mild_steps: int = 0


CYCLES: Final = (
    Cycle(7200, 2.5e-3, mild_steps=2000),
    Cycle(5000, 1.2e-3),
    Cycle(3600, 1.0e-3),
    Cycle(3600, 1.0e-3),
    Cycle(3000, 1.0e-3),
    Cycle(4500, 1.0e-3),
)
"""The recipe. The second cycle makes sure of what the first one found: more of the corpus, lower
rates, and every step as harsh as the field. The third hears people beside voices of machines
(`--voices` of tools.corpus, whose labels the network of the second cycle sifts), the fourth and
the fifth more people, whose labels the network of the third sifts; the sixth a reader of novels,
and more of the others, sifted by the network of the fifth."""


def _shifted(target: Tensor, look_ahead: int, steps: int) -> Tensor:
    """Targets of one head: its step i describes column i + 1 - look_ahead."""
    first = look_ahead - 1
    return target[:, 0 : steps - first]


def loss_of(output: ArticulationOutput, batch: Batch, look_aheads: tuple[int, ...]) -> Tensor:
    """Compute the training loss, averaged over the heads."""
    device = output.viseme_logits.device
    weights = torch.ones(output.viseme_logits.shape[-1], device=device)
    for name, weight in _CLASS_WEIGHTS.items():
        weights[VISEME_INDEX[name]] = weight
    visemes = torch.from_numpy(batch.visemes).to(device)
    curves = torch.from_numpy(batch.curves).to(device)
    stable = torch.ones_like(visemes, dtype=torch.float32)
    changes = visemes[:, 1:] != visemes[:, :-1]
    stable[:, 1:][changes] = _BOUNDARY_WEIGHT
    stable[:, :-1][changes] = _BOUNDARY_WEIGHT
    steps = output.viseme_logits.shape[1]
    total = torch.zeros((), device=device)
    for head, look_ahead in enumerate(look_aheads):
        labels = _shifted(visemes, look_ahead, steps)
        wanted = _shifted(curves, look_ahead, steps)
        certainty = _shifted(stable, look_ahead, steps)
        logits = output.viseme_logits[:, look_ahead - 1 :, head].float()
        raw = output.articulators[:, look_ahead - 1 :, head].float()
        known = (labels >= 0).float()
        class_loss = functional.cross_entropy(
            logits.transpose(1, 2),
            labels.clamp(min=0),
            weight=weights,
            reduction="none",
            label_smoothing=0.03,
        )
        total = total + (class_loss * certainty * known).sum() / known.sum()
        smooth = torch.sigmoid(raw[..., _SMOOTH_COLUMNS])
        target = wanted[..., _SMOOTH_COLUMNS]
        error = (smooth - target).square() * known[..., None]
        total = total + _SMOOTH_WEIGHT * error.mean()
        velocity = (smooth.diff(dim=1) - target.diff(dim=1)).square() * known[:, 1:, None]
        total = total + _VELOCITY_WEIGHT * velocity.mean()
        for column, positive_weight in _EVENTS:
            event = functional.binary_cross_entropy_with_logits(
                raw[..., column],
                wanted[..., column],
                pos_weight=torch.tensor(positive_weight, device=device),
                reduction="none",
            )
            total = total + _EVENT_WEIGHT * (event * known).sum() / known.sum()
    return total / len(look_aheads)


@torch.no_grad()
def validate(net: ArticulationNet, utterances: list[Utterance]) -> dict[str, float]:
    """Frame figures on real held-out clips, by look-ahead: accuracy +-20 ms and jaw-free events."""
    net.eval()
    figures: dict[str, float] = {}
    stride = round(0.02 / GRID_SECS)
    for head, look_ahead in enumerate(net.config.look_ahead_steps):
        right = count = hits = events = false = found = 0
        for utterance in utterances:
            padded = np.pad(utterance.samples, (0, look_ahead * 320))
            padded = np.divide(padded, 32768, dtype=np.float32)
            features = torch.from_numpy(log_mel(padded))[None].to(net.mel_mean.device)
            features = features[:, : features.shape[1] // 2 * 2]
            output, _ = net(features, net.initial_state())
            guess = output.viseme_logits[0, look_ahead - 1 :, head].argmax(-1).cpu().numpy()
            sealed = torch.sigmoid(output.articulators[0, look_ahead - 1 :, head, CLOSURE]) > 0.5
            labels = viseme_grid(utterance.phones, len(utterance.samples) / 16000)[::stride]
            steps = min(len(labels), len(guess))
            labels, guess, seal = labels[:steps], guess[:steps], sealed.cpu().numpy()[:steps]
            near = np.stack([labels, np.roll(labels, 1), np.roll(labels, -1)])
            speech = labels > 0
            right += int((near == guess)[:, speech].any(axis=0).sum())
            count += int(speech.sum())
            bilabial = np.flatnonzero(np.diff((labels == 1).astype(int)) == 1) + 1
            events += len(bilabial)
            hits += sum(bool(seal[max(0, i - 2) : i + 5].any()) for i in bilabial)
            starts = np.flatnonzero(np.diff(seal.astype(int)) == 1) + 1
            found += len(starts)
            false += sum(not (labels[max(0, i - 3) : i + 5] == 1).any() for i in starts)
        name = f"{look_ahead * 20}ms"
        figures[f"tolerant_accuracy_{name}"] = round(right / max(1, count), 4)
        figures[f"closure_recall_{name}"] = round(hits / max(1, events), 4)
        figures[f"closure_false_{name}"] = round(false / max(1, found), 4)
    net.train()
    return figures


def _at(cycles: tuple[Cycle, ...], step: int) -> tuple[Cycle, int]:
    """The cycle that a step lies in, and which of its steps it is."""
    for cycle in cycles:
        if step < cycle.steps:
            return cycle, step
        step -= cycle.steps
    raise ValueError("the step lies beyond the last cycle")


def _commit() -> str:
    command = ["git", "rev-parse", "--short", "HEAD"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def _start(
    kept: dict[str, Any] | None,
    known: ArticulationParameters | None,
    maker: BatchMaker,
    device: str,
) -> Learner[ArticulationNet]:
    if known:
        net, average = ArticulationNet.of(known), ArticulationNet.of(known)
    else:
        net, average = (ArticulationNet(ArticulationNetConfig()) for _ in range(2))
    learner = Learner(net.to(device), average.to(device))
    if kept:
        learner.resume(kept)
    elif not known:
        probe = np.concatenate([maker.draw(16).features for _ in range(6)]).reshape(-1, 80)
        net.set_normalisation(probe.mean(0), probe.std(0))
        average.load_state_dict(net.state_dict())
    return learner


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train the articulation network.")
    parser.add_argument("--corpus", type=Path, default=Path("corpus"))
    parser.add_argument("--out", type=Path, default=Path("out/articulation"))
    parser.add_argument("--from-weights", type=Path, help="npz to begin with")
    parser.add_argument("--first-cycle", type=int, default=0, help="of the recipe, from 0")
    parser.add_argument(
        "--cycles", type=int, default=len(CYCLES), help="end of the recipe; 2 leaves people out"
    )
    parser.add_argument("--batch", type=int, default=20)
    parser.add_argument("--crop-steps", type=int, default=200, help="of 20 ms each")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda:N")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--new-share",
        type=float,
        default=1.0,
        help="of the new weights in what is exported, 0 to 1; the rest is --from-weights",
    )
    parser.add_argument("--export", type=Path, help="npz to write the float16 weights to")
    options = parser.parse_args()
    if not 0 <= options.first_cycle < options.cycles <= len(CYCLES):
        parser.error(
            f"--first-cycle {options.first_cycle} --cycles {options.cycles}: "
            f"needed 0 <= FIRST < CYCLES <= {len(CYCLES)}"
        )
    if not 0 <= options.new_share <= 1 or (options.new_share < 1 and not options.from_weights):
        parser.error(f"--new-share {options.new_share}: 0 to 1, and 1 without --from-weights")
    try:
        options.device = torch_device(options.device)
    except AvatarError as fault:
        parser.error(str(fault))
    return options


def main() -> None:
    """Parse the command line and train."""
    options = _options()
    device: str = options.device
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    options.out.mkdir(parents=True, exist_ok=True)
    cycles = CYCLES[options.first_cycle : options.cycles]
    last = sum(cycle.steps for cycle in cycles)
    path = options.out / "checkpoint.pt"
    kept = read_checkpoint(path, device)
    first = int(kept["step"]) if kept else 0
    known = load_weights(options.from_weights) if options.from_weights else None
    # A resumed run draws on, it does not repeat what it has drawn.
    maker = BatchMaker(options.corpus, options.crop_steps, options.seed + first)
    learner = _start(kept, known, maker, device)
    net, average = learner.net, learner.average
    size = net.parameters_now().num_trained
    print(f"{maker.secs / 3600:.2f} h, {size} parameters, from step {first}", flush=True)
    look_aheads = net.config.look_ahead_steps
    started, running = time.monotonic(), 0.0
    for step in range(first, last):
        cycle, within = _at(cycles, step)
        maker.severity = MILD if within < cycle.mild_steps else HARSH
        rate = cycle.peak_rate * rate_share(within / cycle.steps, _WARM_UP)
        batch = maker.draw(options.batch)
        features = torch.from_numpy(batch.features).to(device)
        with torch.autocast(device.partition(":")[0], dtype=torch.bfloat16):
            output, _ = net(features, net.initial_state(options.batch))
            loss = loss_of(output, batch, look_aheads)
        learner.learn(loss, rate, step)
        running += (loss.item() - running) / min(step - first + 1, 200)
        if (step + 1) % 100 == 0:
            pace = (time.monotonic() - started) / (step + 1 - first)
            print(f"{step + 1} loss {running:.4f} rate {rate:.1e} {pace:.3f} s/step", flush=True)
        if (step + 1) % 500 == 0 or step + 1 == last:
            print("   ", validate(average, maker.validation), flush=True)
            learner.save(path, step=step + 1)
    if options.export:
        if known:
            _mix(average, ArticulationNet.of(known).to(device), options.new_share)
        _export(average, maker, last, options)


@torch.no_grad()
def _mix(net: ArticulationNet, old: ArticulationNet, new_share: float) -> None:
    """Average weights with those they came from, which keeps what those knew of other voices.

    Wortsman et al. 2022, Robust fine-tuning of zero-shot models.
    """
    before = old.state_dict()
    for name, value in net.state_dict().items():
        if value.is_floating_point():
            value.lerp_(before[name], 1 - new_share)


def _export(
    net: ArticulationNet, maker: BatchMaker, steps: int, options: argparse.Namespace
) -> None:
    heard = steps * options.batch * options.crop_steps * 0.02 / 3600
    metadata = {
        "trained": datetime.now(UTC).strftime("%Y-%m-%d"),
        "commit": _commit(),
        "corpus_hours": round(maker.secs / 3600, 2),
        "hours_heard": round(heard, 1),
        "steps": steps,
        "from_weights": options.from_weights.name if options.from_weights else None,
        "first_cycle": options.first_cycle,
        "new_share": options.new_share,
        "batch": options.batch,
        "seed": options.seed,
        "validation": validate(net, maker.validation),
    }
    save_weights(net.parameters_now(), options.export, metadata)
    print(f"wrote {options.export}")


if __name__ == "__main__":
    main()
