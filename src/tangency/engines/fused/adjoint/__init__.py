"""The way back through the fused engine: gradients of kernel matrices, in cache as well."""
