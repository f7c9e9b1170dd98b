"""docs/operations.md, executed: hosts with roots of their own, and what plays systemd on them."""
