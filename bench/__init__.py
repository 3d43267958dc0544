"""Measurements and pictures that anyone can make again, offline and without an AWS account."""
