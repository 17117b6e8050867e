"""The subcommands of `vo-server`, one job a module; `vo_server.cli` has their register."""
