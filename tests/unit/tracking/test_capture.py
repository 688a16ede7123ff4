"""A rendered clip with known motion goes through the whole tracker."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from fakes.portraits import astronaut

from avatar_service.errors import AvatarError, Reason
from avatar_service.export.video import VideoWriter
from avatar_service.motion.track import MotionTrack
from avatar_service.picture.stage import Stage, pose_frame
from avatar_service.schema import EXPRESSION_INDEX
from avatar_service.signals import MotionFrame, UInt8Array
from avatar_service.tracking.capture import Capture, capture_video
from avatar_service.tracking.video import VideoClip

pytestmark = pytest.mark.unit

NUM_FRAMES, GONE = 36, range(20, 24)


def phase(i: int) -> float:
    return float(np.sin(2 * np.pi * i / 24))


def asked(i: int) -> MotionFrame:
    blink = 1.0 if i in (9, 10) else 0.0
    return pose_frame(
        # At the first frame, which is rest, all are zero: turns do not add up like numbers.
        turn=(9 * phase(i), 4 * phase(2 * i), -5 * phase(3 * i)),
        gaze=(10 * phase(i), 0.01),
        eyeBlink=blink,
        jawOpen=0.35 + 0.25 * phase(i + 3),
    )


def write(path: Path, pictures: list[UInt8Array]) -> Path:
    with VideoWriter(path, width_px=512, height_px=512, frame_rate=Fraction(25)) as video:
        for picture in pictures:
            alpha = np.full((*picture.shape[:2], 1), 255, np.uint8)
            video.write_frame(np.ascontiguousarray(np.dstack([picture, alpha])))
    return path


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    stage = Stage(astronaut())
    pictures = [stage.picture(asked(i)) for i in range(NUM_FRAMES)]
    for i in GONE:
        pictures[i] = np.full_like(pictures[i], 90)
    return write(tmp_path_factory.mktemp("clip") / "talk.mp4", pictures)


@pytest.fixture(scope="module")
def capture(clip: Path) -> Capture:
    return capture_video(VideoClip(clip), reference="first")


def wanted(name: str) -> np.ndarray:
    return np.array([getattr(asked(i), name) for i in range(NUM_FRAMES)])


SEEN = [i for i in range(NUM_FRAMES) if i not in GONE]


def test_head_angles_follow_what_was_rendered(capture: Capture):
    turn = np.degrees(wanted("head_rotation"))
    tracked = np.degrees(capture.raw.rotation)
    for axis, tolerance in ((0, 0.12), (1, 0.15), (2, 0.06)):
        slope, start = np.polyfit(turn[SEEN, axis], tracked[SEEN, axis], 1)
        assert slope == pytest.approx(1, abs=tolerance)
        rest = tracked[SEEN, axis] - slope * turn[SEEN, axis] - start
        assert np.std(rest) < 0.8


def test_gaze_blink_and_jaw_follow_what_was_rendered(capture: Capture):
    track = capture.track
    gaze = np.degrees(track.gaze[SEEN].mean(1)[:, 0])
    slope, _ = np.polyfit(np.degrees(wanted("gaze")[SEEN, 0, 0]), gaze, 1)
    assert slope == pytest.approx(1, abs=0.2)
    blink = track.expression[:, EXPRESSION_INDEX["eyeBlinkLeft"]]
    assert blink[[9, 10]].min() > 0.6
    assert np.median(blink) < 0.2
    jaw = EXPRESSION_INDEX["jawOpen"]
    assert np.corrcoef(wanted("expression")[SEEN, jaw], track.expression[SEEN, jaw])[0, 1] > 0.8


def test_frames_without_a_face_are_held_and_told(capture: Capture):
    report = capture.report()
    assert report["frames_without_face"] == len(GONE)
    assert report["held"] == [{"from_secs": 0.8, "frames": len(GONE)}]
    expression = capture.track.expression
    jaw = EXPRESSION_INDEX["jawOpen"]
    assert np.isfinite(expression).all()
    assert np.ptp(expression[21:23, jaw]) < 0.1


def test_the_track_is_a_motion_file(capture: Capture, tmp_path: Path):
    capture.track.save(tmp_path / "motion.npz")
    loaded = MotionTrack.load(tmp_path / "motion.npz")
    assert len(loaded) == NUM_FRAMES
    assert loaded.frame_rate == 25
    # eyeLook* are what the gaze says.
    out = loaded.expression[:, EXPRESSION_INDEX["eyeLookOutLeft"]]
    np.testing.assert_allclose(out > 0.01, loaded.gaze[:, 0, 0] > 0.006)


def test_a_video_without_a_face_is_refused(tmp_path: Path):
    path = write(tmp_path / "grey.mp4", [np.full((512, 512, 3), 90, np.uint8)] * 3)
    with pytest.raises(AvatarError, match="no face was found") as caught:
        capture_video(VideoClip(path))
    assert caught.value.reason is Reason.NO_FACE


def test_an_unknown_reference_is_refused(clip: Path):
    with pytest.raises(AvatarError, match="Unknown reference"):
        capture_video(VideoClip(clip), reference="best")  # type: ignore[arg-type]
