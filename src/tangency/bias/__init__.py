"""The inductive bias, measured: spectra, smoothness, approximation, deformations."""
