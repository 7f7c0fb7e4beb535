"""The page that people look at: made on the server, readable without JavaScript, in French and English."""
