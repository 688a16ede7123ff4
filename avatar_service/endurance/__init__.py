"""Long and rough runs of a real service in its own process: soak, chaos, and what they show."""
