"""A drawn face whose landmarks are known exactly, so that eyes and mouth need no models to test."""

from __future__ import annotations

import cv2
import numpy as np

from avatar_service.portrait import camera, topology
from avatar_service.portrait.face_fit import FaceFit
from avatar_service.portrait.head_frame import HeadFrame
from avatar_service.render.frame_pose import FramePose
from avatar_service.render.projection import make_projection

SIZE = 256
UNIT = 100.0
EYE_CENTERS = ((94.0, 110.0), (162.0, 110.0))
EYE_HALF_WIDTH = 16.0
IRIS_RADIUS = 6.0
MOUTH = (128.0, 180.0)
MOUTH_HALF_WIDTH = 28.0
SKIN = (205, 160, 135)
LIP = (180, 95, 95)
SCLERA = (232, 228, 222)
IRIS = (70, 48, 36)
TOOTH = (238, 230, 215)
_SCALE = 8  # drawn this much larger, then reduced: smooth edges


def _arc(center, half_width, height, count):
    """Return points from the left to the right end of a parabola; height > 0 is upwards."""
    x = np.linspace(-1, 1, count)
    return np.stack([center[0] + half_width * x, center[1] - height * (1 - x**2)], -1)


def landmarks(lip_gap=0.0):
    """Return (468, 3) landmarks of the drawn face; lip_gap in units."""
    points = np.tile(np.array([128.0, 140.0, 0.0]), (468, 1))
    angle = np.linspace(0, 2 * np.pi, len(topology.FACE_OVAL), endpoint=False)
    oval = np.stack([128 + 78 * np.sin(angle), 140 - 105 * np.cos(angle)], -1)
    points[list(topology.FACE_OVAL), :2] = oval
    for eye, center in enumerate(EYE_CENTERS):
        rows = (
            (topology.LID_UPPER, 6.5, 9, EYE_HALF_WIDTH),
            (topology.LID_LOWER, -5.0, 9, EYE_HALF_WIDTH),
            (topology.LID_UPPER_ROW2, 12.0, 7, 15.0),
            (topology.LID_UPPER_ROW3, 20.0, 7, 15.0),
            (topology.BROW_LOWER, 26.0, 5, 17.0),
            (topology.BROW_UPPER, 32.0, 5, 17.0),
        )
        for row, height, count, half_width in rows:
            arc = _arc(center, half_width, height, count)
            if count != 9:  # these rows float above the eye
                arc[:, 1] = center[1] - height + 3 * ((arc[:, 0] - center[0]) / half_width) ** 2
            ids = row if eye == 0 else topology.mirrored(row)[::-1]
            points[list(ids), :2] = arc
    gap = lip_gap * UNIT
    rows = (
        (topology.LIP_INNER_UPPER, 0.35 * gap, MOUTH_HALF_WIDTH),
        (topology.LIP_INNER_LOWER, -0.65 * gap, MOUTH_HALF_WIDTH),
        (topology.LIP_OUTER_UPPER, 8 + 0.35 * gap, MOUTH_HALF_WIDTH + 3),
        (topology.LIP_OUTER_LOWER, -10 - 0.65 * gap, MOUTH_HALF_WIDTH + 3),
    )
    for row, height, half_width in rows:
        points[list(row), :2] = _arc(MOUTH, half_width, height, 11)
    points[168, :2] = (128, 112)
    for number, place in {
        **{50: (88, 150), 280: (168, 150), 101: (95, 145), 330: (161, 145)},
        **{4: (128, 150), 151: (128, 70), 117: (80, 140), 346: (176, 140)},
    }.items():
        points[number, :2] = place
    return points


def draw(points, *, lip_gap=0.0, has_spectacles=False):
    """Return the (2 SIZE, 2 SIZE, 3) photo."""

    def px(xy):
        return np.round((np.asarray(xy) + 0.5) * _SCALE).astype(np.int32)

    image = np.full((SIZE * _SCALE, SIZE * _SCALE, 3), SKIN, np.uint8)
    for eye, center in enumerate(EYE_CENTERS):
        side = (lambda row: row) if eye == 0 else topology.mirrored
        brow = [*side(topology.BROW_UPPER), *side(topology.BROW_LOWER)[::-1]]
        cv2.fillPoly(image, [px(points[brow, :2])], (60, 45, 40))
        ring = [*side(topology.LID_LOWER), *side(topology.LID_UPPER)[-2:0:-1]]
        mask = np.zeros(image.shape[:2], np.uint8)
        cv2.fillPoly(mask, [px(points[ring, :2])], 255)
        ball = np.full_like(image, SCLERA)
        middle = tuple(int(v) for v in px(center))
        cv2.circle(ball, middle, int(IRIS_RADIUS * _SCALE), IRIS, -1)
        cv2.circle(ball, middle, int(0.4 * IRIS_RADIUS * _SCALE), (15, 12, 10), -1)
        spot = tuple(int(v) for v in px((center[0] - 1.5, center[1] - 1.5)))
        cv2.circle(ball, spot, int(0.9 * _SCALE), (255, 255, 255), -1)
        image[mask > 0] = ball[mask > 0]
        lash = px(points[list(side(topology.LID_UPPER)), :2])
        cv2.polylines(image, [lash], False, (45, 30, 25), int(1.2 * _SCALE))
    lips = [*topology.LIP_OUTER_UPPER, *topology.LIP_OUTER_LOWER[-2:0:-1]]
    cv2.fillPoly(image, [px(points[lips, :2])], LIP)
    if lip_gap > 0:
        loop = list(topology.mouth_loop())
        cv2.fillPoly(image, [px(points[loop, :2])], TOOTH)
    else:
        seam = px(points[list(topology.LIP_INNER_UPPER), :2])
        cv2.polylines(image, [seam], False, (90, 40, 40), _SCALE)
    if has_spectacles:
        ends = []
        for center in EYE_CENTERS:
            outward = -1 if center[0] < 128 else 1
            middle = (center[0] + 2 * outward, center[1] + 4)
            size = (int(26 * _SCALE), int(18 * _SCALE))
            place = tuple(int(v) for v in px(middle))
            cv2.ellipse(image, place, size, 0, 0, 360, (30, 25, 30), int(2.5 * _SCALE))
            ends.append(px((middle[0] - outward * 26, middle[1])))
        a, b = (tuple(int(v) for v in end) for end in ends)
        cv2.line(image, a, b, (30, 25, 30), int(2.5 * _SCALE))
    return cv2.resize(image, (2 * SIZE, 2 * SIZE), interpolation=cv2.INTER_AREA)


def make_fit(*, lip_gap=0.0, has_spectacles=False):
    """Return the FaceFit of a drawn face."""
    points = landmarks(lip_gap)
    image2x = draw(points, lip_gap=lip_gap, has_spectacles=has_spectacles)
    iris = np.zeros((2, 5, 3))
    for eye, (x, y) in enumerate(EYE_CENTERS):
        r = IRIS_RADIUS
        iris[eye, :, :2] = [(x, y), (x + r, y), (x, y - r), (x - r, y), (x, y + r)]
    alpha = np.ones((SIZE, SIZE), np.float32)
    center = np.array([128.0, 110.0, 0.0])
    head = HeadFrame(
        rotation=np.eye(3),
        center=center,
        unit_px=UNIT,
        pivot=center + (0, 80, 60),
        hinge=center + (0, 30, 60),
    )
    return FaceFit(
        image=np.ascontiguousarray(cv2.resize(image2x, (SIZE, SIZE), interpolation=cv2.INTER_AREA)),
        image2x=image2x,
        alpha=alpha,
        canvas2x=image2x,
        canvas_alpha=alpha,
        margin_px=0,
        landmarks=points,
        eye_contours=np.zeros((2, 71, 3)),
        iris=iris,
        head=head,
        lip_gap=lip_gap,
        is_mouth_open=lip_gap > 0.035,
        smile=0.0,
    )


def make_pose(fit, points=None, *, out_px=SIZE, jaw_radians=0.0):
    """Return the FramePose of a resting head with the landmarks at `points` (frame px)."""
    points = fit.landmarks if points is None else points
    pose = FramePose.allocate(468)
    scale = out_px / fit.size_px
    pose.vertices[:] = points
    pose.vertices[:, :2] = (points[:, :2] + 0.5) * scale - 0.5
    pose.shading[:] = 1
    pose.skull[:] = np.eye(3, 4)
    cos, sin = np.cos(jaw_radians), np.sin(jaw_radians)
    turn = np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])  # the chin goes down and back
    hinge = camera.camera_from_frame(fit.head.hinge, fit.head, fit.size_px)
    pose.jaw[:, :3] = turn
    pose.jaw[:, 3] = hinge - turn @ hinge
    pose.projection[:] = make_projection(fit.size_px, camera.focal_px(fit.head), out_px)
    return pose


def blank_frame(out_px=SIZE, color=SKIN):
    """Return an opaque RGBA frame of one colour."""
    frame = np.empty((out_px, out_px, 4), np.uint8)
    frame[..., :3] = color
    frame[..., 3] = 255
    return frame


def lower_lids(points, amount):
    """Return landmarks with the upper lids moved down by `amount` (0..1) of the opening."""
    moved = points.copy()
    for side in (tuple, topology.mirrored):
        upper, lower = list(side(topology.LID_UPPER)), list(side(topology.LID_LOWER))
        moved[upper] += amount * (points[lower] - points[upper])
    return moved


def open_lips(points, gap, *, width=1.0):
    """Return landmarks with the lower lip `gap` units lower and the mouth scaled in width."""
    moved = points.copy()
    inner, outer = list(topology.LIP_INNER_LOWER), list(topology.LIP_OUTER_LOWER)
    profile = 1 - np.linspace(-1, 1, 11) ** 2
    for row in (inner, outer):
        moved[row, 1] += gap * UNIT * profile
    rows = [*inner, *outer, *topology.LIP_INNER_UPPER, *topology.LIP_OUTER_UPPER]
    rows = sorted(set(rows))
    moved[rows, 0] = MOUTH[0] + width * (moved[rows, 0] - MOUTH[0])
    return moved
