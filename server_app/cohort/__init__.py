"""The clients: who they are, what they are asked, what they are sent."""
