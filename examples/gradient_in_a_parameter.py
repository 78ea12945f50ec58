"""The marginal likelihood of a Gaussian process, climbed in its noise and its weight scale."""

import torch
from sklearn.datasets import load_diabetes

import tangency as tg

x, y = (torch.tensor(a[:150]) for a in load_diabetes(return_X_y=True))
y = (y - y.mean()) / y.std()
logs = torch.zeros(2, dtype=torch.float64, requires_grad=True)
optimizer = torch.optim.Adam([logs], lr=0.2)
for step in range(31):
    weight_std, noise = logs.exp()
    net = tg.Sequential(tg.Dense(weight_std=10.0), tg.ReLU(), tg.Dense(weight_std=weight_std))
    covariance = tg.NNGP(net)(x) + noise**2 * torch.eye(len(x), dtype=torch.float64)
    process = torch.distributions.MultivariateNormal(torch.zeros_like(y), covariance)
    loss = -process.log_prob(y)
    if step % 10 == 0:
        print(f"weight_std {weight_std:.2f}, noise {noise:.2f}: log likelihood {-loss:.2f}")
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
