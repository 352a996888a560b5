"""Helpers without a home in one layer."""
