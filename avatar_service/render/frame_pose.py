"""What one frame looks like, worked out once and read by every drawing kernel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from avatar_service.signals import Float32Array


@dataclass(frozen=True, slots=True)
class FramePose:
    """Buffers of one renderer, overwritten at each frame.

    Attributes:
        vertices: (V, 3) output px and depth (larger is farther); rows 0..467 are the landmarks.
        shading: (V,) factor on the texture's brightness, 1 = as photographed.
        coefficients: (52,) the expression shown, order of schema.EXPRESSION_NAMES.
        gaze: (2, 2) radians, rows LEFT and RIGHT eye (as the schema), columns yaw and pitch in the
            head frame: + to the subject's left, + down.
        skull: (3, 4) camera space at rest -> camera space posed, rigid with the skull.
        jaw: (3, 4) the same, rigid with the lower jaw.
        projection: (4,) see render/projection.py.
        opening: (1,) effective opening of the lower jaw: 0 closed, 1 = jawOpen 1; a photo whose
            mouth is open starts above 0 at rest of the latent only as far as it is not closed.
    """

    vertices: Float32Array
    shading: Float32Array
    coefficients: Float32Array
    gaze: Float32Array
    skull: Float32Array
    jaw: Float32Array
    projection: Float32Array
    opening: Float32Array

    @classmethod
    def allocate(cls, num_vertices: int) -> FramePose:
        """Make the buffers for a mesh of num_vertices."""

        def zeros(*shape: int) -> Float32Array:
            return np.zeros(shape, np.float32)

        return cls(
            vertices=zeros(num_vertices, 3),
            shading=zeros(num_vertices),
            coefficients=zeros(52),
            gaze=zeros(2, 2),
            skull=zeros(3, 4),
            jaw=zeros(3, 4),
            projection=zeros(4),
            opening=zeros(1),
        )
