"""Every table of the lakehouse, declarations only; one module a layer."""
