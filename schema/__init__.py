"""What is published: tables, columns, collections. Values only; no database, no network."""
