"""`python -m lettermill`: the command line."""

from lettermill.cli import main

main()
