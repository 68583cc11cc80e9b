"""Small tools that know nothing of octaves and networks. Few of the files import Paddle, and none
that the command line needs for its help does.
"""
