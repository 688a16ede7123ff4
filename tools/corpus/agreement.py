"""How well a label goes with what the shipped articulation network hears.

Amateurs skip words, say others, or the aligner goes astray; such labels would teach nonsense. The
network is right often enough to tell a label that fits from one that does not (below .3 next to no
bilabial is where the label has it, above .5 nine of ten are), and too often wrong to be copied by
this choice: what stays still differs from it in every third step.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import as_file, files
from typing import Final

import numpy as np
import torch

from avatar_service.audio.mel import log_mel
from avatar_service.motion.articulation_net import ArticulationNet
from avatar_service.motion.articulation_parameters import STEP_SECS, load_weights
from avatar_service.motion.coarticulation import GRID_SECS, viseme_grid
from tools.corpus.store import SAMPLE_RATE_HZ, Utterance

LEAST_AGREEMENT: Final = 0.45


@cache
def _shipped() -> ArticulationNet:
    with as_file(files("avatar_service.motion") / "weights" / "articulation.npz") as path:
        return ArticulationNet.of(load_weights(path)).eval()


@torch.no_grad()
def agreement(utterance: Utterance) -> float:
    """Share of the steps with speech whose viseme the network hears within one step, 0..1."""
    net = _shipped()
    look_ahead = max(net.config.look_ahead_steps)
    head = net.config.look_ahead_steps.index(look_ahead)
    later = look_ahead * round(STEP_SECS * SAMPLE_RATE_HZ)
    heard = np.divide(np.pad(utterance.samples, (0, later)), 32768, dtype=np.float32)
    features = torch.from_numpy(log_mel(heard))[None]
    output, _ = net(features[:, : features.shape[1] // 2 * 2], net.initial_state())
    guess = output.viseme_logits[0, look_ahead - 1 :, head].argmax(-1).numpy()
    secs = len(utterance.samples) / SAMPLE_RATE_HZ
    labels = viseme_grid(utterance.phones, secs)[:: round(STEP_SECS / GRID_SECS)]
    steps = min(len(labels), len(guess))
    near = np.stack([np.roll(labels[:steps], shift) for shift in (-1, 0, 1)])
    speech = labels[:steps] > 0
    return float((near == guess[:steps])[:, speech].any(axis=0).mean()) if speech.any() else 0.0
