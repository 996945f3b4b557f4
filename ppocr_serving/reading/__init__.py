"""The service without the network: assembly, options, inputs and scheduling."""
