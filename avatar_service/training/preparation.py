"""From folders of speech and video to sequences of life, kept in the training folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from avatar_service.audio.file import read_audio
from avatar_service.errors import AvatarError, Reason
from avatar_service.motion.track import MotionTrack
from avatar_service.signals import Float32Array
from avatar_service.training.footage import life_of_track
from avatar_service.training.sequences import (
    BROKEN_NPZ,
    LifeSequence,
    read_sequences,
    write_sequences,
)
from avatar_service.training.teacher import converse, draw_wishes, live

CONVERSATION_SECS: Final = 60.0
_AUDIO_SUFFIXES: Final = (".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a")
VIDEO_SUFFIXES: Final = (".mp4", ".mov", ".mkv", ".webm", ".avi")
_SHARDS_AT_ONCE: Final = 3
_UTTERANCES_BEFORE_NEXT: Final = 60

Progress = Callable[[int, int, str], None]


def speech_in(folder: Path, random: np.random.Generator) -> Iterator[Float32Array]:
    """Yield utterances of a folder for ever, in random order.

    Args:
        random: chooses.
        folder: shards of `python -m tools.corpus` (npz with `audio` and `audio_ends`), and audio
            files of one utterance each.

    Raises:
        AvatarError: INVALID_FILE where the folder holds neither, or one cannot be read.
    """
    paths = sorted(folder.glob("*.npz"))
    paths += [path for path in sorted(folder.iterdir()) if path.suffix in _AUDIO_SUFFIXES]
    if not paths:
        raise AvatarError(
            Reason.INVALID_FILE,
            f"{folder} holds no speech: neither *.npz of tools.corpus nor audio files",
        )
    while True:
        chosen = random.choice(len(paths), min(_SHARDS_AT_ONCE, len(paths)), replace=False)
        utterances = [one for i in chosen for one in _utterances(paths[i])]
        for i in random.permutation(len(utterances))[: _SHARDS_AT_ONCE * _UTTERANCES_BEFORE_NEXT]:
            yield utterances[i].astype(np.float32) / 32768


def _utterances(path: Path) -> list[np.ndarray]:
    if path.suffix != ".npz":
        return [np.asarray(read_audio(path).samples * 32767, np.int16)]
    try:
        with np.load(path) as shard:
            return np.split(shard["audio"], shard["audio_ends"][:-1])
    except BROKEN_NPZ as fault:
        raise AvatarError(Reason.INVALID_FILE, f"{path.name}: {fault}") from fault


def teach(
    speech: Path, out: Path, *, hours: float, draws: int, seed: int, progress: Progress
) -> list[LifeSequence]:
    """Draw lives from the simple generator on conversations of a folder's speech.

    What stands in OUT/taught.npz is used again.

    Args:
        speech: see speech_in.
        out: training folder.
        hours: of conversation.
        seed: of everything drawn.
        progress: told what is done, of how much.
        draws: lives on each, with other seeds and controls.
    """
    path = out / "taught.npz"
    if path.exists():
        return read_sequences(path)
    random = np.random.default_rng(seed)
    utterances = speech_in(speech, random)
    count = max(1, round(hours * 3600 / CONVERSATION_SECS))
    sequences = []
    for i in range(count):
        ticks = converse(utterances, CONVERSATION_SECS, random)
        for draw in range(draws):
            wishes = draw_wishes(len(ticks), random)
            sequences.append(live(ticks, wishes, seed * 1_000_003 + i * draws + draw))
        progress(i + 1, count, "drawing lives of the simple generator")
    write_sequences(path, sequences)
    return sequences


def videos_in(folder: Path) -> list[Path]:
    """List the videos of a folder.

    Raises:
        AvatarError: INVALID_FILE where there is none.
    """
    paths = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in VIDEO_SUFFIXES]
    if not paths:
        known = ", ".join(VIDEO_SUFFIXES)
        raise AvatarError(Reason.INVALID_FILE, f"{folder} holds no video ({known})")
    return paths


def tracked_life(
    videos: Sequence[Path], out: Path, track: Callable[[Path, Path], object]
) -> dict[str, LifeSequence]:
    """Track each video once, into OUT/tracked/NAME.npz, and read its life off.

    Args:
        videos: with sound.
        out: training folder.
        track: tracks a video into a motion file.
    """
    folder = out / "tracked"
    folder.mkdir(parents=True, exist_ok=True)
    lives = {}
    for video in videos:
        path = folder / f"{video.stem}.npz"
        if not path.exists():
            track(video, path)
        lives[video.stem] = life_of_track(MotionTrack.load(path), read_audio(video).samples)
    return lives
