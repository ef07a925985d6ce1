"""Pages over HTTP or HTTPS, whatever is on them: sockets, TLS, who may come in, which format they want."""
