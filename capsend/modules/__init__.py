"""Processes of WebAssembly modules in any language: what is compiled, what a guest can ask for, and the life of one."""
