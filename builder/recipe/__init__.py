"""Recipes: what the configuration says of images, with the files that steps copy."""
