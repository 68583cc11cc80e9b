"""The ground: small tools that know nothing of octaves and networks. Paddle is imported in few of
its files, and in none that the command line needs for its help.
"""
