"""`python -m shamisa_cli` is `shamisa`; torchrun starts training this way."""

import sys

from shamisa_cli.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
