"""One probe per file; what a probe finds out is an observation."""
