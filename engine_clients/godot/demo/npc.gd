# A character that says one line: ten lines to begin with.
extends Node

export var bridge_port = 0  # printed by avatar_bridge.py
export var line = "res://line.wav"


func _ready() -> void:
	$Face.connect("failed", self, "_on_failed")
	$Face.bridge.connect_to_bridge(bridge_port)
	$Face.speak(line)


func _on_failed(why: String) -> void:
	print("the avatar is silent: ", why)
