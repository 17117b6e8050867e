"""Previews of event lists: what they show is counted, drawn and served in parts of their own."""
