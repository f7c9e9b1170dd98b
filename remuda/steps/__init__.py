"""The steps of a recipe, taken on a machine: by builders, and where an image is used first."""
