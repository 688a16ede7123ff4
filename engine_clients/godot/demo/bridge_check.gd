# Headless: calls a bridge and prints why it fails; ends without a word once a session is open.
#   godot3-server --path engine_clients/godot -s demo/bridge_check.gd --call PORT ANSWER_SECS
extends SceneTree

var bridge = AvatarBridge.new()


func _initialize() -> void:
	var arguments = Array(OS.get_cmdline_args())
	arguments = arguments.slice(arguments.find("--call") + 1, arguments.size())
	bridge.answer_secs = float(arguments[1])
	bridge.connect("failed", self, "_on_failed")
	bridge.connect("session_opened", self, "_on_session_opened")
	get_root().add_child(bridge)
	bridge.connect_to_bridge(int(arguments[0]))


func _on_failed(line: String) -> void:
	bridge.set_controls({"gaze": [0, 0]})  # as a game does every frame, whether it is heard or not
	print("FAILED ", JSON.print({"line": line, "kept": bridge._waiting.size()}))
	quit()


func _on_session_opened(_ring: String, _session_id: String) -> void:
	quit()
