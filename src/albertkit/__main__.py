"""python -m albertkit."""

from albertkit.cli import main

main()
