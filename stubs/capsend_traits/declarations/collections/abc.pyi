import typing

from capsend_traits.marks import ProcessSend

Iterator = typing.Iterator
AsyncIterator = typing.AsyncIterator
Generator = typing.Generator
AsyncGenerator = typing.AsyncGenerator
Coroutine = typing.Coroutine
MappingView = typing.MappingView
KeysView = typing.KeysView
ValuesView = typing.ValuesView
ItemsView = typing.ItemsView

class _CallableGenericAlias(ProcessSend):
    """rebuilt from its origin and its arguments"""
