"""Pure: OCP's URLs and its reply envelope; no HTTP client."""
