from capsend_traits.marks import Never, ProcessSend

class Address(ProcessSend):
    """immutable"""

class Group(ProcessSend):
    """immutable"""

class BaseHeader(Never):
    """its class is made while a message is parsed; capture str(header)"""

class HeaderRegistry(Never):
    """it makes classes for headers; create it inside the process"""

class UnstructuredHeader(Never):
    """it is a part of classes that are made while a message is parsed; capture str(header)"""

class DateHeader(Never):
    """it is a part of classes that are made while a message is parsed; capture str(header)"""

class AddressHeader(Never):
    """it is a part of classes that are made while a message is parsed; capture str(header)"""

class MIMEVersionHeader(Never):
    """it is a part of classes that are made while a message is parsed; capture str(header)"""

class ParameterizedMIMEHeader(Never):
    """it is a part of classes that are made while a message is parsed; capture str(header)"""

class ContentTransferEncodingHeader(Never):
    """it is a part of classes that are made while a message is parsed; capture str(header)"""

class MessageIDHeader(Never):
    """it is a part of classes that are made while a message is parsed; capture str(header)"""
