# Reads a 16 bit PCM WAV file at run time.
extends Reference

var stream: AudioStreamSample
var error = ""


func read(path: String) -> bool:
	var file = File.new()
	if file.open(path, File.READ) != OK:
		error = "cannot read " + path
		return false
	file.seek(12)  # behind "RIFF", size, "WAVE"
	stream = AudioStreamSample.new()
	stream.format = AudioStreamSample.FORMAT_16_BITS
	var is_pcm16 = false
	while file.get_position() + 8 <= file.get_len():
		var name = file.get_buffer(4).get_string_from_ascii()
		var size = file.get_32()
		var begin = file.get_position()
		if name == "fmt ":
			is_pcm16 = file.get_16() == 1
			stream.stereo = file.get_16() == 2
			stream.mix_rate = file.get_32()
			file.seek(begin + 14)
			is_pcm16 = is_pcm16 and file.get_16() == 16
		elif name == "data":
			stream.data = file.get_buffer(size)
		file.seek(begin + size + size % 2)
	if not is_pcm16 or stream.data.size() == 0:
		error = path + " is not a 16 bit PCM WAV file"
		return false
	return true
