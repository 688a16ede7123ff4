"""One video from a photo and speech, or from a photo and captured motion."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

from avatar_service.cli.consent import PhotoConsent
from avatar_service.cli.console import progress, say
from avatar_service.cli.decoding import count_channels, has_sound, stream_audio, stream_sound
from avatar_service.cli.motion_source import is_motion_file, motion_frames
from avatar_service.cli.portraits import load_portrait
from avatar_service.cli.report import percentiles, write_json
from avatar_service.cli.sealing import sealer
from avatar_service.cli.track import capture
from avatar_service.export.sound import SOUND_RATE_HZ
from avatar_service.export.video import VideoWriter
from avatar_service.motion.track import MotionTrack
from avatar_service.portrait.crop import CropPolicy
from avatar_service.portrait.portrait import Portrait
from avatar_service.provenance.credentials import PERFORMED, SPOKEN, Origin
from avatar_service.provenance.watermark import Mark
from avatar_service.render.devices import CpuDevice, RenderDevice
from avatar_service.session.offline import OfflineSettings, animate, replay
from avatar_service.signals import Background, Float32Array, MotionFrame, VideoFrame

HEARD_RATE_HZ = 16_000


class SoundTrack:
    """The file's own sound, handed out up to a time, so that it lies beside its frames."""

    def __init__(self, path: Path, start_secs: float) -> None:
        self.num_channels = count_channels(path)
        self._blocks = stream_sound(path, start_secs=start_secs, num_channels=self.num_channels)
        self._waiting: Float32Array | None = None
        self._num_given = 0

    def until(self, end_secs: Fraction) -> Iterator[Float32Array]:
        """Yield what comes next, up to `end_secs` from the start."""
        missing = int(end_secs * SOUND_RATE_HZ) - self._num_given
        while missing > 0:
            block = self._waiting if self._waiting is not None else next(self._blocks, None)
            if block is None:
                return
            self._waiting = block[missing:] if len(block) > missing else None
            block = block[:missing]
            missing -= len(block)
            self._num_given += len(block)
            yield block


@dataclass(slots=True)
class Animation:
    """What to make; run() makes it.

    Attributes:
        consent: the statement that allows it; recorded once the photo is known to be of use.
        source: speech, a video (its sound is the speech), or captured motion.
        is_tracked: take the motion of the face in the video `source` instead of its sound.
        output: the video.
        sound: heard with captured motion, from its time 0 on; None: silence. Speech is heard by
            itself.
        sound_offset_secs: where in `sound` the motion's time 0 lies, beside start_secs.
        save_motion: where to write the latents; None: nowhere.
        report: where to write the figures; None: nowhere.
        device: where the pictures are drawn.
    """

    consent: PhotoConsent
    photo: Path
    source: Path
    output: Path
    settings: OfflineSettings
    is_tracked: bool = False
    sound: Path | None = None
    sound_offset_secs: float = 0.0
    crop: CropPolicy = "face"
    start_secs: float = 0.0
    duration_secs: float | None = None
    save_motion: Path | None = None
    report: Path | None = None
    device: RenderDevice = field(default_factory=CpuDevice)
    _mark: Mark = field(init=False)
    _motion: list[MotionFrame] = field(default_factory=list, init=False)
    _frame_ms: list[float] = field(default_factory=list, init=False)
    _heard_samples: int = field(default=0, init=False)

    def run(self) -> None:
        """Make the video and the files asked for.

        Raises:
            AvatarError: whatever is wrong with photo, audio or output; nothing is left behind.
        """
        if not self.is_tracked:
            self._make()
            return
        with TemporaryDirectory(prefix="avatar-track-") as folder:
            motion = Path(folder) / "motion.npz"
            captured = capture(
                self.source, start_secs=self.start_secs, duration_secs=self.duration_secs
            )
            captured.track.save(motion)
            replace(
                self,
                source=motion,
                is_tracked=False,
                sound=self.sound or (self.source if has_sound(self.source) else None),
                start_secs=0.0,
                duration_secs=None,
                sound_offset_secs=self.start_secs,
            ).run()

    def _make(self) -> None:
        settings = self.settings
        began = time.monotonic()
        began_cpu = time.process_time()
        heard = self.sound if is_motion_file(self.source) else self.source
        sound = (
            SoundTrack(heard, self.start_secs + self.sound_offset_secs)
            if heard is not None
            else None
        )
        if is_motion_file(self.source):
            next(self._captured(), None)  # what cannot be read is told before anything is made
        portrait = load_portrait(self.photo, size_px=settings.size_px, crop=self.crop)
        self.consent.record("video")
        is_motion = is_motion_file(self.source)
        self._mark = self.consent.book.issue_mark(self.consent.photo_sha256, "video")
        payload = self._mark.payload
        origin = Origin(
            self.consent.photo_sha256,
            PERFORMED if is_motion else SPOKEN,
            f"{payload.installation_text}-{payload.session_text}",
            has_badge=settings.controls.badge,
        )
        seal = sealer(self.output, origin)
        with (
            VideoWriter(
                self.output,
                width_px=settings.size_px,
                height_px=settings.size_px,
                frame_rate=settings.rate,
                sample_rate_hz=SOUND_RATE_HZ if sound is not None else 0,
                channels=sound.num_channels if sound is not None else 1,
                with_alpha=settings.controls.background is Background.TRANSPARENT,
                seal=seal,
            ) as writer,
            progress() as bar,
        ):
            task = bar.add_task(f"animating {self.photo.name}", total=None)
            asked_at = time.monotonic()
            for frame in self._frames(portrait):
                self._frame_ms.append((time.monotonic() - asked_at) * 1e3)
                writer.write_frame(frame.pixels)
                self._motion.append(frame.motion)
                if sound is not None:
                    for block in sound.until(len(self._motion) / settings.rate):
                        writer.write_audio(block)
                bar.update(task, advance=1)
                asked_at = time.monotonic()
        if self.save_motion is not None:
            MotionTrack.from_frames(self._motion, settings.rate).save(self.save_motion)
        wall_secs = time.monotonic() - began
        if self.report is not None:
            figures = self._figures(wall_secs, time.process_time() - began_cpu)
            write_json(self.report, figures)
        say(f"{self.output}: {len(self._motion)} frames in {wall_secs:.1f} s")

    def _frames(self, portrait: Portrait) -> Iterator[VideoFrame]:
        if is_motion_file(self.source):
            return replay(portrait, self._captured(), self.settings, self._mark, device=self.device)
        return animate(portrait, self._heard(), self.settings, self._mark, device=self.device)

    def _captured(self) -> Iterator[MotionFrame]:
        return motion_frames(
            self.source,
            rate=self.settings.rate,
            controls=self.settings.controls,
            start_secs=self.start_secs,
            duration_secs=self.duration_secs,
        )

    def _heard(self) -> Iterator[Float32Array]:
        for samples in stream_audio(
            self.source, start_secs=self.start_secs, duration_secs=self.duration_secs
        ):
            self._heard_samples += len(samples)
            yield samples

    def _figures(self, wall_secs: float, cpu_secs: float) -> dict[str, object]:
        made_ms = percentiles(self._frame_ms)
        return {
            "fps_mean": round(len(self._motion) / wall_secs, 3),
            "frames": len(self._motion),
            "frames_dropped": 0,
            "frames_torn": 0,
            "first_frame_ms": round(self._frame_ms[0], 1),
            "latency_ms": None,
            "render_ms": {"p50": made_ms["p50"], "p99": made_ms["p99"]},
            "device": self.device.name,
            "cpu_seconds": round(cpu_secs, 2),
            "seconds_of_audio": round(self._heard_samples / HEARD_RATE_HZ, 3),
        }
