"""What event lists are made of, for all that read them: tables, intervals and clocks (GADF)."""
