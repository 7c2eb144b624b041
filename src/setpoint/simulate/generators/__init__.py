"""Generators: which world a seed stands for – its policies, what people do, what goes wrong."""
