"""Static pages people read: opened from disk, with no network."""
