# One talking face: shows a session's pictures in a TextureRect, drives the blend shapes of a
# MeshInstance and turns a head, all at the time of the sample that an AudioStreamPlayer plays.
extends Node
class_name AvatarFace

const Layout = preload("res://addons/avatar_service/ring_layout.gd")
const Wav = preload("res://addons/avatar_service/wav_file.gd")
const PLAYOUT_NANOS = 150000000  # shown so long after the newest picture where no sound leads
const HUNG_NANOS = 400000000  # sound that is so far behind the picture has hung: it jumps ahead
# Of real time: sound and service go on where Engine.time_scale stretches or stops the game's.
const ACKNOWLEDGE_MSEC = 250
const LOOK_MSEC = 100  # how often the service is looked after
const HEAD_ROTATION = 52  # yaw, pitch, roll in AvatarRing.motion

signal speech_started()
signal speech_ended(was_interrupted)
signal failed(line)

export(NodePath) var texture_rect  # shows the picture
export(NodePath) var mesh  # a MeshInstance with ARKit's blend shapes, as jawOpen or JawOpen
export(NodePath) var head  # a Spatial that turns; it faces along its own +Z
export(NodePath) var player  # an AudioStreamPlayer: plays the speech and is the clock

var ring = AvatarRing.new()
var bridge = AvatarBridge.new()
var unknown_shapes = []  # blend shapes of the mesh that nothing drives
var due_nanos = 0

var _texture = ImageTexture.new()
var _is_open = false
var _wav_path = ""
var _segment_nanos = -1
var _is_waiting = false  # for the time at which the segment is due
var _acknowledged_msec = 0
var _looked_msec = 0
var _shapes = []  # pairs: property of the mesh, channel
var _head_rest = Basis()


func _ready() -> void:
	add_child(bridge)
	bridge.connect("session_opened", self, "_on_session_opened")
	bridge.connect("segment_started", self, "_on_segment_started")
	bridge.connect("segment_ended", self, "_on_segment_ended")
	bridge.connect("failed", self, "_on_failed")
	if mesh:
		_find_shapes(get_node(mesh))
	if head:
		_head_rest = get_node(head).transform.basis


# Says a 16 bit WAV file.
func speak(wav_path: String) -> void:
	_wav_path = wav_path
	bridge.speak(wav_path)


# See AvatarBridge.set_controls.
func set_controls(controls: Dictionary) -> void:
	bridge.set_controls(controls)


func interrupt() -> void:
	bridge.interrupt(due_nanos)
	_is_waiting = false
	if player:
		get_node(player).stop()


func _process(_delta: float) -> void:
	if not _is_open:
		return
	var now_msec = OS.get_ticks_msec()
	if now_msec - _looked_msec >= LOOK_MSEC:
		_looked_msec = now_msec
		if not ring.is_live():
			_is_open = false
			_on_failed("the avatar service has gone")
			return
	var newest = ring.newest_pts_nanos()
	if newest < 0:
		return
	if _is_waiting and newest - PLAYOUT_NANOS >= _segment_nanos:
		_begin_to_play()
	due_nanos = _heard_nanos(newest)
	if _is_playing() and newest - PLAYOUT_NANOS - due_nanos > HUNG_NANOS:
		# The ring holds 0.6 s: soon the pictures for this sound would be gone.
		get_node(player).seek((newest - PLAYOUT_NANOS - _segment_nanos) / 1e9)
	if _is_playing() and now_msec - _acknowledged_msec >= ACKNOWLEDGE_MSEC:
		_acknowledged_msec = now_msec
		bridge.acknowledge(due_nanos)
	if ring.read_due(due_nanos):
		_show_picture()
		_show_motion()


# The sample that is being heard now, as the engine's documentation computes it.
func _heard_nanos(newest: int) -> int:
	if not _is_playing():
		return newest - PLAYOUT_NANOS
	var secs = get_node(player).get_playback_position() + AudioServer.get_time_since_last_mix()
	return _segment_nanos + int((secs - AudioServer.get_output_latency()) * 1e9)


func _is_playing() -> bool:
	return player and get_node(player).playing and not _is_waiting


func _begin_to_play() -> void:
	_is_waiting = false
	var wav = Wav.new()
	if not wav.read(_wav_path):
		emit_signal("failed", wav.error)
		return
	get_node(player).stream = wav.stream
	get_node(player).play()
	_acknowledged_msec = OS.get_ticks_msec()  # nothing has been heard yet
	emit_signal("speech_started")


func _show_picture() -> void:
	if not texture_rect or ring.pixels.size() == 0:
		return
	var image = Image.new()
	image.create_from_data(ring.width, ring.height, false, Image.FORMAT_RGBA8, ring.pixels)
	if _texture.get_size() == Vector2(ring.width, ring.height):
		_texture.set_data(image)
	else:
		_texture.create_from_image(image, 0)
		get_node(texture_rect).texture = _texture


func _show_motion() -> void:
	for shape in _shapes:
		get_node(mesh).set(shape[0], clamp(ring.motion[shape[1]], 0.0, 1.0))
	if head:
		# Godot's axes are the schema's (right-handed, +Y up), so the angles are used as they are.
		var turn = Basis(Vector3.UP, ring.motion[HEAD_ROTATION]) * \
				Basis(Vector3.RIGHT, ring.motion[HEAD_ROTATION + 1]) * \
				Basis(Vector3.BACK, ring.motion[HEAD_ROTATION + 2])
		get_node(head).transform.basis = _head_rest * turn


func _find_shapes(instance: MeshInstance) -> void:
	var channels = {}
	for i in range(Layout.EXPRESSIONS.size()):
		channels[_key(Layout.EXPRESSIONS[i])] = i
	for property in instance.get_property_list():
		var name = property["name"]
		if not name.begins_with("blend_shapes/"):
			continue
		var key = _key(name.substr(13))
		if key in channels:
			_shapes.append([name, channels[key]])
		else:
			unknown_shapes.append(name.substr(13))
	if _shapes.empty():
		emit_signal("failed", "no blend shape of the mesh has a name that is known")
		push_warning("Avatar Service: no blend shape of the mesh has a name that is known")


# jawOpen, JawOpen, jaw_open; eyeBlinkLeft, eyeBlink_L.
func _key(name: String) -> String:
	if name.ends_with("_L"):
		name = name.left(name.length() - 2) + "Left"
	elif name.ends_with("_R"):
		name = name.left(name.length() - 2) + "Right"
	return name.replace("_", "").to_lower()


func _on_session_opened(ring_path: String, _session_id: String) -> void:
	_is_open = ring.open(ring_path)
	if not _is_open:
		_on_failed(ring.error)


func _on_segment_started(pts_nanos: int) -> void:
	_segment_nanos = pts_nanos
	_is_waiting = player != null and not player.is_empty()


func _on_segment_ended(was_interrupted: bool) -> void:
	emit_signal("speech_ended", was_interrupted)


func _on_failed(line: String) -> void:
	push_error("Avatar Service: " + line)
	emit_signal("failed", line)
