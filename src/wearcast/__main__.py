"""`python -m wearcast`: the program `wearcast`."""

from wearcast.clients.cli.main import main

if __name__ == "__main__":
    main()
