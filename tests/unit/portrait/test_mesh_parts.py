"""The mesh's helpers: unfolding, depth, solving, softening, cropping."""

import dataclasses

import numpy as np
import pytest
from fakes.portraits import astronaut_fit, need_models, shared_photo

from avatar_service.portrait import topology
from avatar_service.portrait.crop import Square, choose_square, cut_canvas, to_frame
from avatar_service.portrait.deformation import DeformationSpace
from avatar_service.portrait.depth import add_depth
from avatar_service.portrait.face_fit import fit_face
from avatar_service.portrait.folds import soften_folds
from avatar_service.portrait.image_file import load_image
from avatar_service.portrait.lip_seam import snap_to_seam
from avatar_service.portrait.matte import guided_filter
from avatar_service.portrait.mesh import build_mesh
from avatar_service.portrait.unfold import _folded, unfold

pytestmark = pytest.mark.unit


def test_turned_face_is_unfolded_beside_its_outline():
    need_models()
    fit = fit_face(load_image(shared_photo("pd_art_mona_lisa.jpg")))
    before, after = fit.landmarks, unfold(fit.landmarks, fit.head.unit_px)
    assert _folded(after).sum() < 0.4 * _folded(before).sum()
    moved = np.linalg.norm(after - before, axis=1)
    seen = [4, 1, 9, 50 if fit.head.yaw > 0 else 280, *topology.LIP_INNER_UPPER]
    assert moved[seen].max() == 0
    assert moved.max() < 0.2 * fit.head.unit_px


def test_mesh_is_wound_one_way_and_shares_the_holes_borders():
    mesh = build_mesh(astronaut_fit())
    a, b, c = (mesh.vertices[mesh.triangles[:, i], :2] for i in range(3))
    area = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
    assert (area >= 0).all()
    edges = np.sort(
        np.concatenate([mesh.triangles[:, p] for p in ([0, 1], [1, 2], [2, 0])]), axis=1
    )
    face = (edges < mesh.num_face).all(1)
    _, uses = np.unique(edges[face], axis=0, return_counts=True)
    assert (uses <= 3).all()
    inner = set(mesh.oval.tolist())
    unique, uses = np.unique(edges, axis=0, return_counts=True)
    open_edges = unique[(uses == 1) & (unique < mesh.num_face).all(1)]
    assert all(int(i) in inner for edge in open_edges for i in edge)


def test_depth_runs_back_from_the_face_without_cliffs():
    fit = astronaut_fit()
    fields = add_depth(build_mesh(fit), fit)
    mesh = fields.mesh
    outer = fields.mesh.outer
    assert np.median(mesh.vertices[outer, 2]) > np.median(mesh.vertices[: mesh.num_face, 2])
    a, b = mesh.edges.T
    length = np.linalg.norm(mesh.vertices[a, :2] - mesh.vertices[b, :2], axis=1)
    step = np.abs(mesh.vertices[a, 2] - mesh.vertices[b, 2])
    both_on_person = (mesh.anchor[a] == a) & (mesh.anchor[b] == b) & (length > 4)
    assert np.percentile((step / length)[both_on_person], 99) < 1.6


def test_solver_meets_its_handles_and_refuses_others():
    fit = astronaut_fit()
    mesh = add_depth(build_mesh(fit), fit).mesh
    solver = DeformationSpace(mesh, fit.head.to_head(mesh.vertices)).solver([13, 14, 152, 10])
    field = solver.solve({13: (0.0, -0.1, 0.0)})
    assert np.allclose(field[13], [0, -0.1, 0], atol=1e-3)
    assert np.abs(field[[14, 152, 10]]).max() < 2e-3
    with pytest.raises(KeyError):
        solver.solve({200: (0.0, 0.1, 0.0)})


def test_folds_are_softened_by_the_smile_only():
    fit = astronaut_fit()
    original = fit.image2x.astype(np.float32)
    softened, kept = original.copy(), original.copy()
    soften_folds(softened, fit)
    soften_folds(kept, dataclasses.replace(fit, smile=0.0))
    assert np.array_equal(kept, original)
    change = softened - original
    assert change.min() > -1e-3
    assert change.max() > 5
    x, y = (2 * fit.landmarks[9, :2]).astype(int)  # between the brows: nothing happens
    assert np.abs(change[y - 9 : y + 9, x - 9 : x + 9]).max() == 0


def test_seam_is_snapped_to_the_dark_line():
    fit = astronaut_fit()
    landmarks = fit.landmarks.copy()
    rows = [list(topology.LIP_INNER_UPPER), list(topology.LIP_INNER_LOWER)]
    middle = (landmarks[rows[0]] + landmarks[rows[1]]) / 2
    landmarks[rows[0]] = landmarks[rows[1]] = middle
    picture = np.full_like(fit.image2x, 180)
    line = np.round(2 * middle[:, 1] + 0.5 + 4).astype(int)  # drawn 2 px of the frame lower
    for (x, _), y, (x1, _) in zip(2 * middle[:-1, :2], line[:-1], 2 * middle[1:, :2], strict=True):
        picture[y - 1 : y + 2, int(x) : int(x1) + 2] = 40
    snapped = snap_to_seam(picture, landmarks, fit.head)
    lower = snapped[rows[0][3:8], 1] - middle[3:8, 1]
    assert np.abs(lower - 2).max() < 1.2


def test_square_stays_inside_and_points_follow_it():
    landmarks = np.zeros((468, 3))
    landmarks[:, 0] = np.linspace(10, 110, 468)
    landmarks[:, 1] = np.linspace(5, 125, 468)
    square = choose_square(landmarks, (300, 400, 3), "face")
    assert square.left >= 0
    assert square.top >= 0
    assert square.left + square.side <= 400
    assert square.side % 8 == 0
    photo = np.zeros((300, 400, 3), np.uint8)
    photo[100:110, 60:70] = 255
    frame_px = 512
    canvas = cut_canvas(photo, square, frame_px + frame_px // 4)
    y, x = np.argwhere(canvas[..., 0] > 128).mean(0) - frame_px // 8
    expected = to_frame(np.array([[64.5, 104.5, 0.0]]), square, frame_px)[0]
    assert np.allclose([x, y], expected[:2], atol=1.0)
    assert Square(0, 0, 8) != square


def test_guided_filter_pulls_a_blurred_mask_to_the_edge():
    guide = np.zeros((128, 128, 3), np.uint8)
    guide[:, 64:] = [200, 180, 160]
    blurred = np.clip((np.arange(128) - 58) / 16, 0, 1).astype(np.float32)
    mask = np.tile(blurred, (128, 1))
    sharp = guided_filter(guide, mask, 6, 1e-4)
    assert sharp[64, 62] < mask[64, 62] - 0.05 or sharp[64, 62] < 0.25
    assert sharp[64, 66] - sharp[64, 61] > 1.5 * (mask[64, 66] - mask[64, 61])
