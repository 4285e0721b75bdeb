"""A plug-in that breaks its interpreter."""

import os


def main():
    os._exit(3)
