"""Text that is not Python."""
