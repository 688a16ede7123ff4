# A mesh that is nothing but a mouth: a green rectangle whose lower edge falls by 1.5 as jawOpen
# goes from 0 to 1, and whose upper edge rises by 0.3 with mouthSmileLeft.
extends Reference


static func make() -> ArrayMesh:
	var mesh = ArrayMesh.new()
	mesh.add_blend_shape("jawOpen")
	mesh.add_blend_shape("mouthSmile_L")
	mesh.set_blend_shape_mode(Mesh.BLEND_SHAPE_MODE_NORMALIZED)
	var rest = [Vector3(-0.8, 0.5, 0), Vector3(0.8, 0.5, 0), Vector3(0.8, 0, 0), Vector3(-0.8, 0, 0)]
	var open = rest.duplicate()
	open[2] += Vector3(0, -1.5, 0)
	open[3] += Vector3(0, -1.5, 0)
	var smile = rest.duplicate()
	smile[0] += Vector3(0, 0.3, 0)
	smile[1] += Vector3(0, 0.3, 0)
	var arrays = _arrays(rest)
	arrays[Mesh.ARRAY_INDEX] = PoolIntArray([0, 1, 2, 0, 2, 3])
	mesh.add_surface_from_arrays(Mesh.PRIMITIVE_TRIANGLES, arrays, [_arrays(open), _arrays(smile)])
	var material = SpatialMaterial.new()
	material.flags_unshaded = true
	material.albedo_color = Color(0, 1, 0)
	material.params_cull_mode = SpatialMaterial.CULL_DISABLED
	mesh.surface_set_material(0, material)
	return mesh


static func _arrays(points: Array) -> Array:
	var arrays = []
	arrays.resize(Mesh.ARRAY_MAX)
	arrays[Mesh.ARRAY_VERTEX] = PoolVector3Array(points)
	arrays[Mesh.ARRAY_NORMAL] = PoolVector3Array([Vector3.BACK, Vector3.BACK, Vector3.BACK, Vector3.BACK])
	return arrays
