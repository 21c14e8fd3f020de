"""The page of app.py: its users, their files, their turns, and what they see."""
