"""Relational assessment: what changed between two versions of one picture, where, and which is better."""
