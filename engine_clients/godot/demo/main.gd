# Runs npc.gd once: --speak PORT WAV [OUT]. PORT of avatar_bridge.py; OUT: a folder for screenshots
# and report.json, which says what was shown in them.
extends "res://demo/npc.gd"

const Puppet = preload("res://demo/puppet.gd")
const SCREENSHOT_EVERY = 20  # frames of the game
const GIVE_UP_SECS = 60.0

var _out = ""
var _shots = []
var _frame = 0
var _num_pictures = 0
var _last_seq = 0
var _secs = 0.0
var _has_spoken = false
var _jaw_max = 0.0
var _offsets = []


func _enter_tree() -> void:
	var arguments = Array(OS.get_cmdline_args())
	arguments = arguments.slice(arguments.find("--speak") + 1, arguments.size())
	bridge_port = int(arguments[0])
	line = arguments[1]
	_out = arguments[2] if arguments.size() > 2 else ""
	$Puppet.mesh = Puppet.make()  # before Face looks for its blend shapes
	$Face.connect("speech_started", self, "_on_speech_started")


func _process(delta: float) -> void:
	_secs += delta
	_frame += 1
	if $Face.ring.seq != _last_seq:
		_last_seq = $Face.ring.seq
		_num_pictures += 1
	if _has_spoken and $Voice.playing:
		_jaw_max = max(_jaw_max, $Puppet.get("blend_shapes/jawOpen"))
		_offsets.append(($Face.due_nanos - $Face.ring.pts_nanos) / 1e6)
	if _out != "" and _has_spoken and _frame % SCREENSHOT_EVERY == 0:
		_take_screenshot()
	if _has_spoken and not $Voice.playing:
		_finish("")
	elif _secs > GIVE_UP_SECS:
		_finish("not spoken in %d s" % GIVE_UP_SECS)


func _take_screenshot() -> void:
	var seq = $Face.ring.seq
	var jaw = $Puppet.get("blend_shapes/jawOpen")
	var smile = $Puppet.get("blend_shapes/mouthSmile_L")
	VisualServer.force_draw()  # what the nodes hold now, not what the last frame showed
	var image = get_viewport().get_texture().get_data()
	image.flip_y()
	var name = "shot_%03d.png" % _shots.size()
	image.save_png(_out.plus_file(name))
	_shots.append({"file": name, "seq": seq, "jaw": jaw, "smile": smile})


func _finish(why: String) -> void:
	set_process(false)
	if _out != "":
		var file = File.new()
		file.open(_out.plus_file("report.json"), File.WRITE)
		file.store_string(JSON.print({
			"shots": _shots, "pictures": _num_pictures, "torn": $Face.ring.num_torn,
			"jaw_max": _jaw_max, "behind_ms": _offsets, "error": why,
			"unknown_shapes": $Face.unknown_shapes, "engine": Engine.get_version_info()["string"],
		}))
		file.close()
	get_tree().quit(0 if why == "" else 1)


func _on_speech_started() -> void:
	_has_spoken = true


func _on_failed(why: String) -> void:
	._on_failed(why)
	_finish(why)
