"""Which of these models does best on the user's own data: run, scored item by item, compared in pairs."""
