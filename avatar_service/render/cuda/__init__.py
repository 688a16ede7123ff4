"""The CUDA renderer: one batch of frames, of any avatars, per device."""
