"""The command avatar."""
