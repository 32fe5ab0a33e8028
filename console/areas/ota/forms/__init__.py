"""The forms of over-the-air updates. They check the rules of the platform before a request is sent."""
