"""What a first start needs: somebody to log in, a key, the demo business's tools and a template's agents.

Each step can run again, and twice at once: it finds what is there and leaves what staff have changed.
"""
