"""`python -m shamisa_cli` is `shamisa`; torchrun starts training this way."""

from shamisa_cli.cli.app import run

if __name__ == "__main__":
    run()
