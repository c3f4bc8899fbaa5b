"""The start of the program: `shamisa`, and `python -m shamisa_cli`, by which torchrun starts training."""

INTERRUPTED = 130
"""Exit code that shells report for Ctrl-C."""


def main() -> None:
    """Be the program, from the first import on: Ctrl-C while modules load is no traceback."""
    try:
        from shamisa_cli.cli.app import run
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None
    run()


if __name__ == "__main__":
    main()
