"""Collections for people and search engines: their pages, their metadata as JSON-LD, the map of the site."""
