"""Images that the holders of nodes want made of their machines: what is asked, and our answer."""
