"""Estimators: one file each; public names are those of the package."""
