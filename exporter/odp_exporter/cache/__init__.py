"""Pure: ODP's cache container and what stands in it; no file."""
