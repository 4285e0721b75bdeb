"""Packages with native code, built for the guest: recipes, toolchain, store."""
