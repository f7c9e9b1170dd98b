"""The configuration file: its model, its loader, its complaints."""
