"""The pages: one file is one page of the navigation. Knows what a page shows; nothing of how a reply is made."""
