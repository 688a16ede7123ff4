# Headless: opens ring files and reads from them; prints one line of JSON for each. Or waits until
# the writer of one has gone, and prints when it had been there last.
#   godot3-server --path engine_clients/godot -s demo/ring_check.gd --rings FILE...
#   godot3-server --path engine_clients/godot -s demo/ring_check.gd --watch FILE
extends SceneTree


func _init() -> void:
	var paths = Array(OS.get_cmdline_args())
	if "--watch" in paths:
		_watch(paths[paths.find("--watch") + 1])
		quit()
		return
	paths = paths.slice(paths.find("--rings") + 1, paths.size())
	for path in paths:
		var ring = AvatarRing.new()
		var is_open = ring.open(path)
		var is_new = is_open and ring.read_due(ring.newest_pts_nanos())
		print("RING ", JSON.print({
			"open": is_open, "new": is_new, "again": is_open and ring.read_due(1 << 62),
			"error": ring.error, "torn": ring.num_torn, "seq": ring.seq, "live": ring.is_live(),
			"pixel_sum": _sum(ring.pixels), "motion": ring.motion, "pts": str(ring.pts_nanos),
		}))
	quit()


func _watch(path: String) -> void:
	var ring = AvatarRing.new()
	print("WATCH ", JSON.print({"open": ring.open(path), "live": ring.is_live()}))
	while ring.is_live():
		OS.delay_msec(20)
	print("GONE ")


func _sum(bytes: PoolByteArray) -> int:
	var sum = 0
	for i in range(bytes.size()):
		sum += bytes[i]
	return sum
