"""`avatar demo`: the whole product on real input, through a real service."""

from __future__ import annotations

import hashlib
import time
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Final

import typer

from avatar_service.errors import AvatarError, Reason

if TYPE_CHECKING:
    import avatar_client
    from avatar_client.gen.avatar.v1.event_pb2 import Statistics

    from avatar_service.cli.recorder import Recording
    from avatar_service.signals import Float32Array

DEMO_SPEECH: Final = Path(__file__).parent.parent / "data" / "demo_speech.wav"
DEMO_SUBJECT: Final = "Eileen Collins"
DEMO_BASIS: Final = "official NASA portrait, public domain; shown as a demonstration of this tool"
SAMPLE_RATE_HZ: Final = 16_000


def demo(
    portrait: Annotated[
        Path | None, typer.Option(help="A photo; default: a public-domain one.", dir_okay=False)
    ] = None,
    audio: Annotated[
        Path | None, typer.Option(help="Speech; default: 12 s made by flite.", dir_okay=False)
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the results.", file_okay=False)] = Path(
        "demo"
    ),
    consent: Annotated[
        str | None, typer.Option(help="Needed for a photo of your own; see `avatar animate`.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda:N.")] = "auto",
) -> None:
    """Start the service, stream speech into it in real time, record what comes back.

    Writes demo.mp4, contact_sheet.png, motion.npz and report.json.
    """
    import numpy as np

    from avatar_service.cli.console import say
    from avatar_service.cli.decoding import stream_audio
    from avatar_service.cli.portraits import read_photo
    from avatar_service.cli.report import print_figures
    from avatar_service.portrait.models import ensure_models

    photo = read_photo(portrait)
    statement = _statement(portrait, consent)
    samples = np.concatenate(list(stream_audio(audio or DEMO_SPEECH)))
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"output folder {out} cannot be made: {error.strerror}"
        raise AvatarError(Reason.INVALID_FILE, message) from error
    ensure_models(say)
    say("starting the service, making the avatar ...")
    report = run_demo(photo, statement, samples, out, device=device)
    print_figures("avatar demo", report)
    say(f"written: {out / 'demo.mp4'}, contact_sheet.png, motion.npz, report.json")


def _statement(portrait: Path | None, consent: str | None) -> avatar_client.Consent:
    from avatar_client import Consent

    from avatar_service.cli.consent import obtain_consent

    if portrait is None:
        return Consent(DEMO_SUBJECT, DEMO_BASIS)
    given = obtain_consent(consent)
    return Consent(given.subject, given.basis, given.stated_by, given.valid_until)


def run_demo(
    photo: bytes,
    consent: avatar_client.Consent,
    samples: Float32Array,
    out: Path,
    *,
    device: str = "auto",
) -> dict[str, object]:
    """Stream and record, and write the files of the demo.

    Returns:
        What report.json holds.
    """
    from avatar_client import AvatarClientError, connect

    from avatar_service.cli.console import say
    from avatar_service.cli.recorder import record
    from avatar_service.cli.report import write_json
    from avatar_service.cli.sealing import sealer
    from avatar_service.config import load_config
    from avatar_service.export.pictures import contact_sheet, write_png
    from avatar_service.export.video import VideoWriter
    from avatar_service.motion.track import MotionTrack
    from avatar_service.provenance.credentials import SPOKEN, Origin
    from avatar_service.session.service_process import ServiceProcess

    origin = Origin(hashlib.sha256(photo).hexdigest(), SPOKEN)
    try:
        with (
            TemporaryDirectory(prefix="avatar-demo-") as home,
            # The avatar is gone with the demo; who was shown, and by what right, stays known.
            ServiceProcess(
                {"device": device, "home": home, "provenance": str(load_config().provenance_dir)}
            ) as service,
            connect(service.address) as client,
        ):
            avatar = client.create_avatar(photo, consent)
            say(f"streaming {len(samples) / SAMPLE_RATE_HZ:.1f} s of speech in real time ...")
            opened_at = time.monotonic_ns()
            with client.open_session(avatar.avatar_id, transport="shm") as session:
                rate = Fraction(session.info.frame_rate.num, session.info.frame_rate.den)
                with VideoWriter(
                    out / "demo.mp4",
                    width_px=session.info.width_px,
                    height_px=session.info.height_px,
                    frame_rate=rate,
                    sample_rate_hz=SAMPLE_RATE_HZ,
                    is_live=True,
                    seal=sealer(out / "demo.mp4", origin),
                ) as writer:
                    recording = record(
                        session, samples, SAMPLE_RATE_HZ, writer, opened_at_nanos=opened_at
                    )
                server = session.statistics().server
            used_device = client.info.device
            client.delete_avatar(avatar.avatar_id, end_sessions=True)
    except AvatarClientError as error:
        # The service has said it in one line; a reason of the client's own is a fault on the way.
        known = error.reason in Reason.__members__
        reason = Reason(error.reason) if known else Reason.WARMING_UP
        raise AvatarError(reason, error.message) from error
    MotionTrack.from_frames(recording.motion, rate).save(out / "motion.npz")
    sheet = contact_sheet(
        [pixels for _, pixels in recording.contact],
        [f"{seconds:.2f} s" for seconds, _ in recording.contact],
    )
    write_png(out / "contact_sheet.png", sheet)
    report = _report(recording, server, used_device, len(samples) / SAMPLE_RATE_HZ)
    write_json(out / "report.json", report)
    return report


def _report(
    recording: Recording, server: Statistics | None, device: str, seconds_of_audio: float
) -> dict[str, object]:
    from avatar_service.cli.report import percentiles

    frames = len(recording.motion) - recording.num_missing
    render = None if server is None else server.render
    return {
        "fps_mean": round((frames - 1) / recording.wall_secs, 3),
        "frames": frames,
        "frames_dropped": recording.num_missing,
        "frames_torn": recording.num_torn,
        "first_frame_ms": round(recording.first_frame_ms, 1),
        "latency_ms": percentiles(recording.latency_ms),
        "render_ms": {
            "p50": None if render is None else round(render.p50_millis, 2),
            "p99": None if render is None else round(render.p99_millis, 2),
        },
        "device": device,
        "cpu_seconds": None if server is None else round(server.cpu_seconds, 2),
        "seconds_of_audio": round(seconds_of_audio, 3),
    }
