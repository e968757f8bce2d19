"""What a visit is: whose page it is, what is open in it, what was pressed. Knows no part of a page."""
