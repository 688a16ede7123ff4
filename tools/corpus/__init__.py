"""Labelled speech for training: synthesisers with exact phone times, and aligned real clips."""
