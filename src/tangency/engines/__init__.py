"""How a kernel is computed: engines that walk the plan of a network."""
