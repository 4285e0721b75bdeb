"""Programs that tests spawn from, as a user would write them."""
