# Headless: a face in a game whose time stands still, as in a menu, until it fails.
#   godot3-server --path engine_clients/godot -s demo/face_check.gd --face PORT WAV
extends SceneTree

const GIVE_UP_MSEC = 10000

var face = AvatarFace.new()


func _initialize() -> void:
	Engine.time_scale = 0.0
	var arguments = Array(OS.get_cmdline_args())
	arguments = arguments.slice(arguments.find("--face") + 1, arguments.size())
	var voice = AudioStreamPlayer.new()
	face.add_child(voice)
	voice.name = "Voice"
	face.player = NodePath("Voice")
	face.connect("failed", self, "_on_failed")
	get_root().add_child(face)
	face.bridge.connect_to_bridge(int(arguments[0]))
	face.speak(arguments[1])


func _idle(_delta: float) -> bool:
	if OS.get_ticks_msec() > GIVE_UP_MSEC:
		quit()
	return false


func _on_failed(line: String) -> void:
	print("FAILED ", JSON.print({"line": line}))
	quit()
