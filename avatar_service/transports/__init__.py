"""MotionFrames and VideoFrames to shared memory, ZeroMQ and gRPC."""
