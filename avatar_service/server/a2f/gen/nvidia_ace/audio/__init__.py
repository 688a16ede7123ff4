"""Generated protobuf code; see tools/gen_a2f_protos.py."""
