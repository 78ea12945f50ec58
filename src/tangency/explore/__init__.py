"""A live page: a network is changed by hand, and its two kernels are seen at once.

Private by convention: the command `tangency explore` shows the page.

Two halves. What is shown is computed without any web framework: `state` says what is looked at,
`views` what can be seen of it, `explorer` computes it once, `cards` makes HTML of it. The page
itself, in `page` and `server`, needs Panel, and `worker` computes beside it.
"""
