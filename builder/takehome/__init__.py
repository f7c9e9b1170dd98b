"""Take-home images: machines of holds that become images of their developers, for a time."""
