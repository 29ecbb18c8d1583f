"""A stand-in for the bulk customer API, built from what is known of the API and from nothing of our client."""
