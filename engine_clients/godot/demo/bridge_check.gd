# Headless: calls one bridge after the other and prints why it fails, and after which time; ends once
# a session is open. The game runs fast forward meanwhile.
#   godot3-server --path engine_clients/godot -s demo/bridge_check.gd --call ANSWER_SECS PORT...
extends SceneTree

var bridge = AvatarBridge.new()
var ports = []
var called_msec = 0


func _initialize() -> void:
	Engine.time_scale = 100.0
	var arguments = Array(OS.get_cmdline_args())
	arguments = arguments.slice(arguments.find("--call") + 1, arguments.size())
	bridge.answer_secs = float(arguments.pop_front())
	ports = arguments
	bridge.connect("failed", self, "_on_failed")
	bridge.connect("session_opened", self, "_on_session_opened")
	get_root().add_child(bridge)
	_call_next()


func _call_next() -> void:
	called_msec = OS.get_ticks_msec()
	bridge.connect_to_bridge(int(ports.pop_front()))


func _on_failed(line: String) -> void:
	bridge.set_controls({"gaze": [0, 0]})  # as a game does every frame, whether it is heard or not
	var secs = (OS.get_ticks_msec() - called_msec) / 1000.0
	print("FAILED ", JSON.print({"line": line, "kept": bridge._waiting.size(), "secs": secs}))
	if ports:
		_call_next()
	else:
		quit()


func _on_session_opened(_ring: String, session_id: String) -> void:
	print("OPENED ", JSON.print({"session": session_id}))
	quit()
