"""Run inside Blender: import a model, sample its curves, print what was seen as JSON.

blender -b --python tests/e2e/blender_read.py -- MODEL FPS SECONDS...
python-with-bpy tests/e2e/blender_read.py -- MODEL FPS SECONDS...
"""

import json
import sys

import bpy
import numpy as np

if "bool" not in np.__dict__:
    # Debian 12 ships Blender 3.4, whose glTF importer says np.bool, with a NumPy that dropped it.
    np.bool = bool

model, fps, *times = sys.argv[sys.argv.index("--") + 1 :]
bpy.ops.wm.read_factory_settings(use_empty=True)
scene = bpy.context.scene
scene.render.fps = int(fps)
if model.endswith(".glb"):
    bpy.ops.import_scene.gltf(filepath=model)
else:
    bpy.ops.wm.usd_import(filepath=model)

faces = [o for o in bpy.data.objects if o.type == "MESH" and o.data.shape_keys]
assert len(faces) == 1, [o.name for o in faces]
face = faces[0]
eyes = {
    side: next(o for o in bpy.data.objects if o.type == "MESH" and o.name.startswith(side))
    for side in ("LeftEye", "RightEye")
}


def tip(eye):
    """Where the pupil points, in Blender's world: from the eyeball's back pole to its front."""
    evaluated = eye.evaluated_get(bpy.context.evaluated_depsgraph_get())
    mesh = evaluated.to_mesh()
    points = [evaluated.matrix_world @ v.co for v in mesh.vertices]
    # glTF's importer turns the mesh to z up; in our USD the poles are the first and last point.
    rest = eye.data.vertices
    front, back = 0, len(rest) - 1
    if model.endswith(".glb"):
        front = max(range(len(rest)), key=lambda i: -rest[i].co.y)
        back = max(range(len(rest)), key=lambda i: rest[i].co.y)
    return list((points[front] - points[back]).normalized())


samples = []
for text in times:
    frame = float(text) * scene.render.fps
    scene.frame_set(int(frame), subframe=frame % 1)
    # The evaluated copy holds animated values whether keyed by curves or by a cache.
    evaluated = face.evaluated_get(bpy.context.evaluated_depsgraph_get())
    keys = evaluated.data.shape_keys or face.data.shape_keys
    weights = {block.name: block.value for block in keys.key_blocks[1:]}
    samples.append({"weights": weights, **{side: tip(eye) for side, eye in eyes.items()}})
print("RESULT " + json.dumps({"version": bpy.app.version_string, "samples": samples}))
