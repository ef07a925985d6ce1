"""ODP processes of this host: discovery, identity, restarts."""
