"""
A first kernel in five minutes
==============================

Hello.
"""

import tangency as tg

print(tg.parse("dense relu dense"))
