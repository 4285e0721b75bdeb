import _contextvars

ContextVar = _contextvars.ContextVar
Token = _contextvars.Token
Context = _contextvars.Context
