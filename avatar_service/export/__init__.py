"""Motion and frames to files of other tools."""
