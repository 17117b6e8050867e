"""Tables that users upload with their queries: bytes -> typed columns -> a table beside the catalogue."""
