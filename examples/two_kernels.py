"""The NTK beside the last-layer kernel of one convolutional network, on 500 real digits."""

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import tangency as tg

digits = load_digits()
images = digits.images[..., None] / 16
x, x_test, y, y_test = train_test_split(
    images, digits.target, train_size=400, test_size=100, random_state=0, stratify=digits.target
)
net = tg.parse("conv3 relu conv3 relu gap dense")
for kernel in (tg.NTK(net), tg.NNGP(net)):
    model = tg.KernelClassifier(kernel, alpha="loo").fit(x, y)
    print(f"{type(kernel).__name__}: accuracy {model.score(x_test, y_test):.3f}")
