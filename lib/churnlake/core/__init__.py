"""The kernel: contracts, the lake, jobs, settings, sessions. It knows no telecom word."""
