"""PCM of any rate in, 16 kHz mono and streaming features out."""
