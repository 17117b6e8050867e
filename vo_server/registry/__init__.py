"""The publishing registry: resource records, kept with their datestamps and harvested by OAI-PMH."""
