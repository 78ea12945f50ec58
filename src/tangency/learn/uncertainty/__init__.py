"""How sure predictions may be, and whether they are right to be as sure as they say.

- `jackknife`: conformal intervals of ridge regression, by leave-one-out in closed form
- `temperature`: probabilities of classes by a softmax whose temperature suits held-out scores
"""
