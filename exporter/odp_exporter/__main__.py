"""`python -m odp_exporter` is `odp-exporter`."""

from .cli import main

if __name__ == "__main__":
    main()
