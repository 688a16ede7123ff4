"""The table of file formats: what `avatar export` writes and `avatar import` reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Final

from avatar_service.errors import AvatarError, Reason
from avatar_service.export import (
    curves,
    gltf,
    gltf_into,
    gltf_read,
    livelink_csv,
    npz,
    unity_anim,
    usd,
    visemes,
    vrma,
)
from avatar_service.export.conventions import NameSet
from avatar_service.export.frames import check_fps, checked, resampled
from avatar_service.export.head_mesh import HeadMesh
from avatar_service.signals import MotionFrame


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What some formats want to know.

    Attributes:
        head: a portrait's head for glTF and USD; None takes the neutral head.
        into: a glTF model of the user's to animate instead of a head of ours.
        names: expression names of VRM targets.
        unity: binding of Unity clips.
        sound: name of the sound file, for viseme tracks.
        report: called with one line for each thing that the user should see.
    """

    head: HeadMesh | None = None
    into: Path | None = None
    names: NameSet = NameSet.VRM1
    unity: unity_anim.UnityOptions = field(default_factory=unity_anim.UnityOptions)
    sound: str = ""
    report: Callable[[str], None] = lambda line: None


_Writer = Callable[[Path, Iterable[MotionFrame], Fraction, ExportOptions], int]


@dataclass(frozen=True, slots=True)
class Format:
    """One row: name for --format, file suffixes that imply it, what it is for, writer."""

    name: str
    suffixes: tuple[str, ...]
    summary: str
    write: _Writer


def _write_gltf(
    path: Path, frames: Iterable[MotionFrame], fps: Fraction, options: ExportOptions
) -> int:
    if options.into is None:
        return gltf.write(path, frames, fps, head=options.head)
    done = gltf_into.write_into(path, options.into, frames, fps)
    options.report(f"drives {len(done.matched)} morph targets of {options.into.name}")
    if done.bones:
        options.report("turns the nodes " + ", ".join(done.bones))
    else:
        options.report("found no head or eye node to turn")
    if done.unmatched_targets:
        options.report("NOT driven (unknown names): " + ", ".join(done.unmatched_targets))
    if done.missing:
        options.report("the model LACKS: " + ", ".join(done.missing))
    return done.keyframes


FORMATS: Final[tuple[Format, ...]] = (
    Format(
        "livelink",
        (".csv",),
        "Live Link Face CSV, for Unreal's importer and every tool that reads the app's takes",
        lambda path, frames, fps, options: livelink_csv.write(path, frames),
    ),
    Format("gltf", (".glb",), "glTF 2.0: a head with 52 morph targets, or your model", _write_gltf),
    Format(
        "unity",
        (".anim",),
        "Unity animation clip",
        lambda path, frames, fps, options: unity_anim.write(path, frames, fps, options.unity),
    ),
    Format(
        "vrma",
        (".vrma",),
        "VRM animation",
        lambda path, frames, fps, options: vrma.write(path, frames, fps, names=options.names),
    ),
    Format(
        "usd",
        (".usda", ".usdc", ".usd"),
        "OpenUSD with UsdSkel blend shapes",
        lambda path, frames, fps, options: usd.write(path, frames, fps, head=options.head),
    ),
    Format(
        "unreal-csv",
        (),
        "Unreal curve table as CSV",
        lambda path, frames, fps, options: curves.write_unreal_csv(path, frames, fps),
    ),
    Format(
        "unreal-json",
        (),
        "Unreal curve table as JSON",
        lambda path, frames, fps, options: curves.write_unreal_json(path, frames, fps),
    ),
    Format(
        "csv",
        (),
        "the latents as CSV, our names and axes",
        lambda path, frames, fps, options: curves.write_latents_csv(path, frames),
    ),
    Format(
        "jsonl",
        (".jsonl",),
        "the latents as JSON Lines",
        lambda path, frames, fps, options: curves.write_latents_jsonl(path, frames, fps),
    ),
    Format(
        "npz",
        (".npz",),
        "motion.npz, lossless",
        lambda path, frames, fps, options: npz.write(path, frames, fps),
    ),
    Format(
        "rhubarb",
        (".tsv",),
        "Rhubarb mouth shapes A-H, X; JSON or TSV",
        lambda path, frames, fps, options: visemes.write(
            path, frames, fps, rhubarb=True, sound=options.sound
        ),
    ),
    Format(
        "oculus",
        (),
        "Oculus visemes (15); JSON or TSV",
        lambda path, frames, fps, options: visemes.write(
            path, frames, fps, rhubarb=False, sound=options.sound
        ),
    ),
)
_BY_NAME: Final = {row.name: row for row in FORMATS}
_BY_SUFFIX: Final = {suffix: row for row in FORMATS for suffix in row.suffixes}

READERS: Final[dict[str, Callable[[Path], Iterator[MotionFrame]]]] = {
    ".csv": livelink_csv.read,
    ".glb": gltf_read.read,
    ".gltf": gltf_read.read,
    ".vrm": gltf_read.read,
    ".npz": npz.read,
}
"""What can be imported, by suffix."""


def format_for(path: Path, name: str | None) -> Format:
    """Choose the format by its name, or by the output's suffix.

    Raises:
        AvatarError: INVALID_FIELD listing what there is.
    """
    row = _BY_NAME.get(name) if name is not None else _BY_SUFFIX.get(path.suffix.lower())
    if row is None:
        what = f"format {name!r}" if name is not None else f"suffix {path.suffix!r} of {path.name}"
        raise AvatarError(
            Reason.INVALID_FIELD,
            f"{what} is unknown; formats: {', '.join(_BY_NAME)}",
            field="format",
        )
    return row


def export_motion(
    path: Path,
    frames: Iterable[MotionFrame],
    fps: Fraction | float,
    *,
    format_name: str | None = None,
    options: ExportOptions | None = None,
) -> int:
    """Check, resample from time 0 and write motion; returns the number of keyframes or cues.

    The output appears only when it is complete.

    Args:
        path: the output.
        frames: motion in time order, any rate; time 0 is the first audio sample.
        fps: rate of the keyframes, 1 to 240.
        format_name: a row of FORMATS; None goes by the suffix.
        options: what some formats want to know.

    Raises:
        AvatarError: INVALID_FIELD for an unknown format, rate, NaN, or a place that cannot be
            written; INVALID_FILE for an unusable model.
    """
    row = format_for(path, format_name)
    options = options or ExportOptions()
    if options.into is not None and row.name != "gltf":
        raise AvatarError(
            Reason.INVALID_FIELD, f"a model to animate goes with glTF, not {row.name}", field="into"
        )
    rate = check_fps(fps)
    steady = resampled(checked(frames), rate)
    first = next(steady, None)
    if first is None:
        raise AvatarError(Reason.INVALID_FIELD, "the motion holds no frames", field="motion")
    return row.write(path, chain([first], steady), rate, options)


def import_motion(path: Path) -> Iterator[MotionFrame]:
    """Read motion from a file of another tool, checked; the reader goes by the suffix.

    Raises:
        AvatarError: INVALID_FILE in one line; INVALID_FIELD for an unknown suffix.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise AvatarError(
            Reason.INVALID_FIELD,
            f"{path.name}: motion is read from {', '.join(READERS)}",
            field="motion",
        )
    return checked(reader(path))
