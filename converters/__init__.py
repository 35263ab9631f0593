"""Importers and graph passes."""
