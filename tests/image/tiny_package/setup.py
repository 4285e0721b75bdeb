from setuptools import Extension, setup

setup(
    name="capsend-tiny-extension",
    version="1.0",
    packages=["tiny"],
    ext_modules=[Extension("tiny._core", ["tiny/_core.c"]), Extension("tiny._thrower", ["tiny/_thrower.cpp"])],
)
