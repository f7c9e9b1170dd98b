"""The judgements: pure functions from what is known of images to what is done next."""
