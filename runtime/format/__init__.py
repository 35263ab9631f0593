"""The `.linnet` model file."""
