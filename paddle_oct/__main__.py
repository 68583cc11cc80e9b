"""``python -m paddle_oct`` is ``paddle-oct``."""

from paddle_oct.cli import main

if __name__ == "__main__":
    main()
