"""Three programs with a fault that their page shows, and the same without it: docs/seeing.md."""
