"""One photo in, a Portrait (mesh, blendshapes, textures) out."""
