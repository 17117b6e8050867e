"""`python -m vo_server` is the command `vo-server`."""

from vo_server.cli import main

main()
