"""What a builder does outside of its records: machines, images, clouds; each returns an event."""
