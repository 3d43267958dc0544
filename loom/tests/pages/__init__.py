"""Pages as browsers and people see them."""
