# Talks to avatar_bridge.py, which holds the session with the service (Godot 3 has no gRPC):
# JSON lines over a connection to this host.
extends Node
class_name AvatarBridge

signal session_opened(ring_path, session_id)
signal segment_started(pts_nanos)
signal segment_ended(was_interrupted)
signal interrupted()
signal failed(line)

const LONGEST_LOOK_MSEC = 250  # a game that stood still itself is not to blame the bridge for it

var answer_secs = 20.0  # of real time: a bridge that has opened no session by then is given up

var _peer = StreamPeerTCP.new()
var _port = 0
var _waited_secs = -1.0  # for the session; less than 0: nobody waits
var _looked_msec = 0  # when that was last added up
var _received = ""
var _waiting = []
var _is_connected = false
var _has_given_up = false  # what is sent now reaches nobody


func connect_to_bridge(port: int) -> void:
	_port = port
	_waited_secs = 0.0
	_looked_msec = OS.get_ticks_msec()
	_received = ""
	_has_given_up = false
	if _peer.connect_to_host("127.0.0.1", port) != OK:
		_give_up("cannot connect to the avatar bridge on port %d" % port)


# Says a WAV file; the service tells by segment_started when its first sample is due.
func speak(wav_path: String) -> void:
	_send({"speak": wav_path})


# Barge-in: drops the speech that is not yet out.
func interrupt(heard_nanos: int) -> void:
	_send({"interrupt": heard_nanos})


# Changes how the face behaves, as {"gaze": [yaw, pitch], "emotion": {"happy": 0.5}, "badge": true};
# what is not named stays. Names and ranges: docs/godot.md.
func set_controls(controls: Dictionary) -> void:
	_send({"controls": controls})


# Tells which sample is being heard now.
func acknowledge(pts_nanos: int) -> void:
	_send({"heard": pts_nanos})


func _process(_delta: float) -> void:
	var status = _peer.get_status()
	if status == StreamPeerTCP.STATUS_CONNECTED:
		if not _is_connected:
			_is_connected = true
			for line in _waiting:
				_peer.put_data(line)
			_waiting = []
		_receive()
	elif _is_connected:
		_give_up("the avatar bridge has gone")
	elif _waited_secs >= 0.0 and status != StreamPeerTCP.STATUS_CONNECTING:
		_give_up("no avatar bridge answers on port %d" % _port)
	if _waited_secs >= 0.0:
		# Not by delta, which is the game's time: Engine.time_scale may stretch or stop it.
		var now_msec = OS.get_ticks_msec()
		_waited_secs += min(now_msec - _looked_msec, LONGEST_LOOK_MSEC) / 1000.0
		_looked_msec = now_msec
		if _waited_secs > answer_secs:
			_give_up("the avatar bridge opened no session in %s s" % answer_secs)


func _give_up(line: String) -> void:
	_peer.disconnect_from_host()
	_is_connected = false
	_waited_secs = -1.0
	_has_given_up = true
	_waiting = []
	emit_signal("failed", line)


func _receive() -> void:
	var available = _peer.get_available_bytes()
	if available <= 0:
		return
	_received += _peer.get_utf8_string(available)
	while "\n" in _received:
		var end = _received.find("\n")
		var parsed = JSON.parse(_received.left(end))
		_received = _received.substr(end + 1)
		if parsed.error == OK and parsed.result is Dictionary:
			_handle(parsed.result)


# Times come as text: a JSON number is a double in Godot, and nanoseconds do not fit for long.
func _handle(message: Dictionary) -> void:
	match message.get("event", ""):
		"session":
			_waited_secs = -1.0
			emit_signal("session_opened", message["ring"], message["session_id"])
		"segment_started":
			emit_signal("segment_started", int(message["pts_nanos"]))
		"segment_ended":
			emit_signal("segment_ended", bool(message["interrupted"]))
		"interrupted":
			emit_signal("interrupted")
		"failed":
			emit_signal("failed", message["line"])


func _send(message: Dictionary) -> void:
	for key in message:
		if message[key] is int:
			message[key] = str(message[key])
	var line = (JSON.print(message) + "\n").to_utf8()
	if _is_connected:
		_peer.put_data(line)
	elif not _has_given_up:
		_waiting.append(line)
