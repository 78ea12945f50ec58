"""`python -m tangency`: the command line, for where no script is installed."""

from .cli import app

if __name__ == "__main__":
    app(prog_name="python -m tangency")
