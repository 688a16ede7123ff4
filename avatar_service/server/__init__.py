"""The gRPC service: servicers, status mapping, health, reflection."""

import os

# Faults are told once, by us in one line; gRPC's C core would write its own lines before it.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
