import weakref

ReferenceType = weakref.ReferenceType
ProxyType = weakref.ProxyType
CallableProxyType = weakref.CallableProxyType
