"""How a kernel is computed: engines that walk the plan of a network.

The recursion of Σ and Θ stands in `reference`, its sums over patches and pooling in `grids`;
`fused` is the fast engine, `blocked` the one for what that has no way for, `extended` the one of 32
digits. What an engine is: `engine`; which are asked, and in which order: `order`, `select`; the one
entrance: `dispatch`.

Private by convention: users choose an engine by `NTK(net, engine=…)`, and ask `explain`.
"""
