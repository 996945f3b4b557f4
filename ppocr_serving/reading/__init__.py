"""The service without a network: assembly, options, inputs, and who computes next."""
