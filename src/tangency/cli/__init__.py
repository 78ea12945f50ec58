"""The command line: `tangency` and its commands.

Private by convention: the commands are public, not the functions.
"""

from .app import app
from .demo import demo
from .estimates import gram_estimate
from .explore import explore
from .features import features
from .lazy import lazy
from .matrices import gram
from .measures import smoothness, spectrum, stability
from .models import fit, predict
from .networks import describe
from .report import report
from .stores import gram_status
from .warmup import warmup

app.command("demo", short_help="Neural kernels on real digits: table and figures.")(demo)
app.command("fit", short_help="Fit a classifier or a regression and save it.")(fit)
app.command("predict", short_help="Predict with a saved model.")(predict)
app.command("report", short_help="A page on a network's inductive bias.")(report)
app.command("explore", short_help="A live page: change a network, see its kernels.")(explore)
app.command("spectrum", short_help="Eigenvalues on the sphere, degree by degree.")(spectrum)
app.command("smoothness", short_help="How far small changes move in feature space.")(smoothness)
app.command("stability", short_help="How far deformations move in feature space.")(stability)
app.command("lazy", short_help="Train finite networks, compare with the kernel.")(lazy)
app.command("features", short_help="Write features that approximate a kernel.")(features)
app.command("gram", short_help="Write the kernel matrix of a data set.")(gram)
app.command("gram-estimate", short_help="Time and space for a large kernel matrix.")(gram_estimate)
app.command("gram-status", short_help="Progress of a stored kernel matrix.")(gram_status)
app.command("describe", short_help="Show a network layer by layer.")(describe)
app.command("warmup", short_help="Compile the engines ahead of time.")(warmup)

__all__ = ["app"]
