"""Training of the motion networks: `avatar train`."""
