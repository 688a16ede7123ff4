"""Build the training corpus.

    python -m tools.corpus --out corpus --hours 4 --sentences FILE --real FOLDER

Every source is drawn from its own seed, so a part can be made again alone (`--only flite`). What
stands in the output folder already is kept.
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

import numpy as np
import soxr

from avatar_service.errors import AvatarError
from avatar_service.motion.labelled import pauses_heard
from avatar_service.motion.phones import TimedPhone, canonical_phones
from avatar_service.motion.visemes import UNKNOWN
from tools.corpus import align, espeak, festival, recordings, texts
from tools.corpus.agreement import LEAST_AGREEMENT, agreement
from tools.corpus.clips import read_clip
from tools.corpus.store import PEAK, SAMPLE_RATE_HZ, Utterance, write_shard

SHARES: Final = {"espeak": 0.27, "languages": 0.08, "flite": 0.42, "festival": 0.23}
"""Share of the hours by source; the voices built from human recordings get the greater part."""

_MIN_SECS: Final = 0.5
_FESTIVAL_BATCH: Final = 40


def _utterance(speech: espeak.Speech, alphabet: str, source: str) -> Utterance | None:
    samples = np.asarray(soxr.resample(speech.samples, speech.sample_rate_hz, SAMPLE_RATE_HZ))
    peak = float(np.abs(samples).max()) if len(samples) else 0.0
    if len(samples) < _MIN_SECS * SAMPLE_RATE_HZ or peak < 3e-3:
        return None
    phones = []
    for phone in speech.phones:
        try:
            phones += canonical_phones([phone], alphabet)
        except AvatarError as fault:  # a rare sound of some language: masked in training
            print(f"{source}: {fault}", file=sys.stderr)
            phones.append(TimedPhone(phone.start_secs, phone.end_secs, UNKNOWN))
    return Utterance((samples / peak * PEAK).astype(np.int16), phones, source)


def _espeak(draw: random.Random, sentences: list[str]) -> Iterator[Utterance]:
    engine = espeak.engine()
    while True:
        accent = draw.choice(espeak.ENGLISH_ACCENTS)
        speech = _espeak_say(engine, draw, accent, texts.english_line(draw, sentences))
        utterance = _utterance(speech, "espeak", f"espeak:{accent}") if speech else None
        if utterance:
            yield utterance


def _languages(draw: random.Random, sentences: list[str]) -> Iterator[Utterance]:
    engine = espeak.engine()
    while True:
        voice = draw.choice(espeak.OTHER_LANGUAGES)
        language = voice.rpartition("/")[2][:2]
        # A foreign voice reading English says odd words, with exact labels: more variety.
        english = draw.random() < 0.35
        line = texts.english_line(draw) if english else texts.language_line(language, draw)
        speech = _espeak_say(engine, draw, voice, line)
        utterance = _utterance(speech, "espeak", f"espeak:{voice}") if speech else None
        if utterance:
            yield utterance


def _espeak_say(
    engine: espeak.Espeak, draw: random.Random, voice: str, line: str
) -> espeak.Speech | None:
    return engine.synthesise(
        line,
        f"{voice}+{draw.choice(espeak.VARIANTS)}",
        rate=draw.randint(125, 235),
        pitch=draw.randint(20, 80),
        pitch_range=draw.randint(20, 90),
    )


def _flite(draw: random.Random, sentences: list[str]) -> Iterator[Utterance]:
    while True:
        voice = draw.choice(festival.FLITE_VOICES)
        speech = festival.flite(
            texts.english_line(draw, sentences),
            voice,
            stretch=draw.uniform(0.75, 1.3),
            pitch=draw.uniform(0.8, 1.25),
        )
        utterance = _utterance(speech, "arpabet", f"flite:{voice}") if speech else None
        if utterance:
            yield utterance


def _festival(draw: random.Random, sentences: list[str]) -> Iterator[Utterance]:
    while True:
        voice = draw.choice(festival.FESTIVAL_VOICES)
        lines = [texts.english_line(draw, sentences) for _ in range(_FESTIVAL_BATCH)]
        stretches = [draw.uniform(0.75, 1.3) for _ in lines]
        for speech in festival.festival(lines, voice, stretches):
            utterance = _utterance(speech, "arpabet", f"festival:{voice}")
            if utterance:
                yield utterance


_SOURCES: Final[dict[str, Callable[[random.Random, list[str]], Iterator[Utterance]]]] = {
    "espeak": _espeak,
    "languages": _languages,
    "flite": _flite,
    "festival": _festival,
}


def _real(folder: Path) -> list[Utterance]:
    utterances = []
    for path in sorted([*folder.glob("*.flac"), *folder.glob("*.wav")]):
        transcript = path.with_suffix(".txt")
        if not transcript.exists():
            continue
        clip = read_clip(path)
        phones = align.align(clip, transcript.read_text(encoding="utf-8"))
        if phones is None:
            print(f"{path.name}: no alignment, left out", file=sys.stderr)
            continue
        utterances.append(Utterance(clip, pauses_heard(clip, phones), f"real:{path.stem}"))
    return utterances


def _voice(spoken: Iterable[recordings.Recording]) -> Iterator[Utterance]:
    """Label recordings, as long as they are labelled well; never more than enough."""
    secs = 0.0
    for recording in spoken:
        try:
            samples = recordings.read_mono(recording.sound)
        except RuntimeError as fault:
            print(f"{recording.voice}, {recording.text!r}: {fault}", file=sys.stderr)
            continue
        phones = recordings.label(recording, samples) if len(samples) else None
        utterance = Utterance(samples, pauses_heard(samples, phones or []), recording.voice)
        if phones and agreement(utterance) >= LEAST_AGREEMENT:
            yield utterance
            secs += len(samples) / SAMPLE_RATE_HZ
        if secs > recording.enough_secs:
            return


def _gather(source: Iterator[Utterance], secs: float) -> list[Utterance]:
    gathered: list[Utterance] = []
    while secs > 0:
        gathered.append(next(source))
        secs -= len(gathered[-1].samples) / SAMPLE_RATE_HZ
    return gathered


def _write_voices(spoken: Iterable[recordings.Recording], out: Path) -> None:
    for voice, of_voice in itertools.groupby(spoken, key=lambda recording: recording.voice):
        path = out / f"voices-{voice}.npz"
        started = time.monotonic()
        made = [] if path.exists() else list(_voice(of_voice))
        if made:
            write_shard(path, made, voice)
            _report(path.name, made, started)


def _report(name: str, utterances: list[Utterance], started: float) -> None:
    secs = sum(len(u.samples) for u in utterances) / SAMPLE_RATE_HZ
    wall = time.monotonic() - started
    print(f"{name}: {len(utterances)} utterances, {secs / 60:.1f} min, in {wall:.0f} s", flush=True)


def main() -> None:
    """Parse the command line and build what is missing."""
    parser = argparse.ArgumentParser(description="Build the labelled speech corpus.")
    parser.add_argument("--out", type=Path, default=Path("corpus"))
    parser.add_argument("--hours", type=float, default=4.0, help="hours of synthetic speech")
    parser.add_argument("--sentences", help="text file, one sentence a line, or ID|sentence")
    parser.add_argument(
        "--held-out", type=Path, help="folder of evaluation transcripts never to be spoken"
    )
    parser.add_argument("--real", type=Path, help="folder of clips with a .txt transcript each")
    parser.add_argument("--voices", type=Path, help="unpacked packages of tools.corpus.recordings")
    parser.add_argument(
        "--only", choices=[*_SOURCES, "real", "voices"], help="build this source alone"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--shard-minutes", type=float, default=15.0)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    sentences = texts.read_sentences(options.sentences) if options.sentences else []
    if options.held_out:
        held = {" ".join(align.normalise(p.read_text())) for p in options.held_out.glob("*.txt")}
        sentences = [s for s in sentences if " ".join(align.normalise(s)) not in held]
    for name, source in _SOURCES.items():
        if options.only not in (None, name):
            continue
        minutes = options.hours * 60 * SHARES[name]
        num_shards = max(1, round(minutes / options.shard_minutes))
        for shard in range(num_shards):
            path = options.out / f"{name}-{options.seed}-{shard:02d}.npz"
            if path.exists():
                continue
            started = time.monotonic()
            draw = random.Random(f"{name}/{options.seed}/{shard}")
            made = _gather(source(draw, sentences), minutes * 60 / num_shards)
            write_shard(path, made, name)
            _report(path.name, made, started)
    path = options.out / "real.npz"
    if options.real and options.only in (None, "real") and not path.exists():
        started = time.monotonic()
        made = _real(options.real)
        write_shard(path, made, "real")
        _report(path.name, made, started)
    if options.voices and options.only in (None, "voices"):
        spoken = recordings.recordings(options.voices)
        try:
            _write_voices(spoken, options.out)
        except ValueError as fault:
            parser.error(str(fault))


if __name__ == "__main__":
    main()
