"""What all hands share: waits, records that they hold, and whose failure something was."""
