"""What a month's indicators look like, and which of them models read: sampling, filtering, value mapping, profile, selection."""
