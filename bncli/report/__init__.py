"""What people and programs read of a study: tables, figures, the page."""
