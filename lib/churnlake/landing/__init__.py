"""An operator's files become the contract: numbers as dialled, pseudonyms, codes."""
