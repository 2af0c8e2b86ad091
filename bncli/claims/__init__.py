"""Published claims: what they say, how they are measured, and what runs say of them."""
