"""`python -m kdcli` does what `kd` does."""

from kdcli.cli import main

main()
