import typing

Iterator = typing.Iterator
AsyncIterator = typing.AsyncIterator
Generator = typing.Generator
AsyncGenerator = typing.AsyncGenerator
Coroutine = typing.Coroutine
MappingView = typing.MappingView
KeysView = typing.KeysView
ValuesView = typing.ValuesView
ItemsView = typing.ItemsView
