"""`python -m shamisa_cli` is `shamisa`; torchrun starts training this way."""

from shamisa_cli.cli.app import main

if __name__ == "__main__":
    main()
