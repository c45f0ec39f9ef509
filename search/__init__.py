"""Third floor: queries, intents, fusion, difference, comparison, evaluation, and the HTTP face."""
