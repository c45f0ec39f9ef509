"""Where models run: a clean process that forks one locked-down child per unit of work."""
