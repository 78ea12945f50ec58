"""How a kernel is computed: engines that walk the plan of a network.

Private by convention: users choose an engine by `NTK(net, engine=…)`, and ask `explain`.
"""
