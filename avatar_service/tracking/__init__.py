"""Performance capture: video in, the motion latent out, by the portrait's own rig."""
