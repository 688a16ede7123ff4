"""Features and controls in, MotionFrames out."""
