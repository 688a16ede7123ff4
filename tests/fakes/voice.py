"""A buzzing voice made of harmonics: phrases of syllables with a melody, and pauses."""

import numpy as np

RATE = 16_000


def fake_voice(secs: float, *, seed: int = 0, f0_hz: float = 130.0) -> np.ndarray:
    """(samples,) float32 at 16 kHz: phrases of 1.5-2.5 s, pauses of 0.35-0.6 s between them."""
    rng = np.random.default_rng(seed)
    num_samples = round(secs * RATE)
    level, melody = np.zeros(num_samples), np.full(num_samples, f0_hz)
    start = round(0.3 * RATE)
    while start < num_samples:
        length = round(rng.uniform(1.5, 2.5) * RATE)
        time = np.arange(length) / RATE
        rate = rng.uniform(3.5, 4.5)
        stress = np.repeat(rng.uniform(0.3, 1.0, 32), round(RATE / rate))[:length]
        syllables = stress * (0.1 + 0.9 * np.abs(np.sin(np.pi * rate * time)) ** 1.5)
        end = min(num_samples, start + length)
        level[start:end] = syllables[: end - start]
        fall = 1.25 - 0.35 * time / time[-1] + 0.08 * np.sin(2 * np.pi * 0.9 * time)
        melody[start:end] = f0_hz * fall[: end - start]
        start = end + round(rng.uniform(0.35, 0.6) * RATE)
    phase = 2 * np.pi * np.cumsum(melody) / RATE
    buzz = sum(np.sin(n * phase) / n for n in range(1, 12))
    breath = rng.standard_normal(num_samples) * 0.0005
    return (0.15 * level * buzz + breath).astype(np.float32)
