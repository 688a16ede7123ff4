"""The gRPC service: servicers, status mapping, health, reflection."""
