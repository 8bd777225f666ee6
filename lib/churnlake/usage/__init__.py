"""From clean records to daily partials and monthly features."""
