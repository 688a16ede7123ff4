"""Portrait and MotionFrame in, pixels out."""
