"""``python -m paddle_oct`` is ``paddle-oct``."""

from .cli import main

if __name__ == "__main__":
    main()
