# Reads a session's shared-memory ring, avatar.ring.v1: the picture and the motion that are due.
# Nothing in the file is believed unchecked; protos/ring/v1/frame_ring.toml is the specification.
extends Reference
class_name AvatarRing

const Layout = preload("res://addons/avatar_service/ring_layout.gd")

var width = 0  # pixels; 0: the ring holds motion only
var height = 0
var error = ""  # why open or read failed, one line
var num_torn = 0  # reads that the writer overtook

# Of what read_due has read last:
var seq = 0
var pts_nanos = 0
var epoch = 0
var pixels = PoolByteArray()  # RGBA, row 0 on top
var motion = []  # 71 floats: 52 expressions, head, gaze, emotion, speech

var _path = ""
var _file = File.new()
var _slot_count = 0
var _slot_stride = 0
var _motion_offset = 0
var _pixels_offset = 0
var _writer_pid = 0
var _writer_start_ticks = 0
var _is_writer_seen = false  # in /proc, when the ring was opened
var _heartbeat_nanos = 0
var _heartbeat_msec = 0


func open(path: String) -> bool:
	_path = path
	error = ""
	if _file.open(path, File.READ) != OK:
		return _fail("cannot read the ring " + path)
	if _file.get_len() < Layout.HEADER_BYTES:
		return _fail("not a ring: shorter than its header")
	if _u64(Layout.HEADER_MAGIC) != Layout.MAGIC:
		return _fail("not a ring: its magic number is wrong")
	if _u32(Layout.HEADER_VERSION) != Layout.VERSION:
		return _fail("the ring has layout version %d, this client reads %d" % [
				_u32(Layout.HEADER_VERSION), Layout.VERSION])
	width = _u32(Layout.HEADER_WIDTH_PX)
	height = _u32(Layout.HEADER_HEIGHT_PX)
	_slot_count = _u32(Layout.HEADER_SLOT_COUNT)
	_slot_stride = _u64(Layout.HEADER_SLOT_STRIDE)
	_motion_offset = _u32(Layout.HEADER_MOTION_OFFSET)
	_pixels_offset = _u32(Layout.HEADER_PIXELS_OFFSET)
	if not _is_geometry_sound():
		return _fail("the ring is damaged: its geometry does not fit its size")
	_writer_pid = _u32(Layout.HEADER_WRITER_PID)
	_writer_start_ticks = _u64(Layout.HEADER_WRITER_START_TICKS)
	_is_writer_seen = _is_writer_there()
	_heartbeat_nanos = _u64(Layout.HEADER_HEARTBEAT_NANOS)
	_heartbeat_msec = OS.get_ticks_msec()
	return true


# Whether its writer lives, by the rule of the specification; ask about every 0.1 s.
func is_live() -> bool:
	if _file.open(_path, File.READ) != OK or _u32(Layout.HEADER_STATE) != Layout.STATE_LIVE:
		return false
	# By the engine's own clock, which is not the writer's: since when has it not changed?
	var heartbeat = _u64(Layout.HEADER_HEARTBEAT_NANOS)
	var now_msec = OS.get_ticks_msec()
	if heartbeat != _heartbeat_nanos:
		_heartbeat_nanos = heartbeat
		_heartbeat_msec = now_msec
	var silent_nanos = (now_msec - _heartbeat_msec) * 1000000
	if silent_nanos >= Layout.HEARTBEAT_TIMEOUT_NANOS:
		return false
	return silent_nanos < Layout.LOOK_NANOS or not _is_writer_seen or _is_writer_there()


# Session time of the newest picture, nanoseconds; -1: there is none yet.
func newest_pts_nanos() -> int:
	if _file.open(_path, File.READ) != OK:
		return -1
	var newest = _u64(Layout.HEADER_HEAD)
	return -1 if newest == 0 else _u64(_slot(newest) + Layout.SLOT_PTS_NANOS)


# Reads the newest picture with a time up to due_nanos, else the oldest there is. Returns whether
# it is another one than before; seq, pixels, motion ... then hold it.
func read_due(due_nanos: int) -> bool:
	# Opened anew each time: a File buffers, and would go on showing an old head.
	if _file.open(_path, File.READ) != OK:
		return _fail("the ring is gone")
	var newest = _u64(Layout.HEADER_HEAD)
	var oldest = int(max(1, newest - _slot_count + 2))
	var number = newest
	while number > oldest and _u64(_slot(number) + Layout.SLOT_PTS_NANOS) > due_nanos:
		number -= 1
	if newest == 0:
		return false
	return _read(number)


func _read(number: int) -> bool:
	var at = _slot(number)
	if _u64(at + Layout.SLOT_LOCK) != 2 * number:
		num_torn += 1
		return false
	var slot_seq = _u64(at + Layout.SLOT_SEQ)
	if slot_seq == seq:
		return false
	var slot_pts = _u64(at + Layout.SLOT_PTS_NANOS)
	var slot_epoch = _u32(at + Layout.SLOT_EPOCH)
	var has_pixels = (_u32(at + Layout.SLOT_FLAGS) & Layout.FLAG_PIXELS) != 0
	var slot_motion = []
	_file.seek(at + _motion_offset)
	for _i in range(Layout.MOTION_FLOATS):
		slot_motion.append(_file.get_float())
	var slot_pixels = PoolByteArray()
	if has_pixels and width > 0:
		_file.seek(at + _pixels_offset)
		slot_pixels = _file.get_buffer(width * height * 4)
	# Whole only if the writer has not begun to use the slot again meanwhile.
	if _file.open(_path, File.READ) != OK or _u64(at + Layout.SLOT_LOCK) != 2 * number:
		num_torn += 1
		return false
	seq = slot_seq
	pts_nanos = slot_pts
	epoch = slot_epoch
	motion = slot_motion
	pixels = slot_pixels
	return true


# Linux: the process of this id has the writer's time of start, so it is no later one.
func _is_writer_there() -> bool:
	var stat = File.new()
	if _writer_start_ticks == 0 or stat.open("/proc/%d/stat" % _writer_pid, File.READ) != OK:
		return false
	var line = stat.get_line()
	# Field 22; the second, the name in brackets, may hold spaces.
	var fields = line.substr(line.find_last(")") + 2).split(" ")
	return fields.size() > 19 and int(fields[19]) == _writer_start_ticks


func _is_geometry_sound() -> bool:
	if _slot_count < Layout.MIN_SLOT_COUNT or _slot_count > Layout.MAX_SLOT_COUNT:
		return false
	if width > Layout.MAX_FRAME_PX or height > Layout.MAX_FRAME_PX:
		return false
	if _u32(Layout.HEADER_HEADER_BYTES) != Layout.HEADER_BYTES:
		return false
	if _u32(Layout.HEADER_MOTION_FLOATS) != Layout.MOTION_FLOATS:
		return false
	if _motion_offset < Layout.SLOT_BYTES or _motion_offset + Layout.MOTION_BYTES > _slot_stride:
		return false
	if width > 0:
		if _u32(Layout.HEADER_PIXEL_FORMAT) != Layout.PIXEL_FORMAT_RGBA8:
			return false
		if _u32(Layout.HEADER_ROW_STRIDE) != width * 4:
			return false
		if _pixels_offset < 0 or _pixels_offset + width * height * 4 > _slot_stride:
			return false
	return Layout.HEADER_BYTES + _slot_count * _slot_stride <= _file.get_len()


func _slot(number: int) -> int:
	return Layout.HEADER_BYTES + ((number - 1) % _slot_count) * _slot_stride


func _u32(offset: int) -> int:
	_file.seek(offset)
	return _file.get_32()


func _u64(offset: int) -> int:
	_file.seek(offset)
	return _file.get_64()


func _fail(why: String) -> bool:
	error = why
	_file.close()
	return false
