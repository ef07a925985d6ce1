"""Pure: MySQL packets out of bytes; no socket."""
