"""The provider as a whole: its cloud, its status for others, and who else there is."""
