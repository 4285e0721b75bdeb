from capsend_traits.marks import Never, ProcessSend, Serializable

class Node(Never):
    """it is tied to the whole document of this process; capture node.toxml(), and parse it inside the process with xml.dom.minidom.parseString(text)"""

class NamedNodeMap(Never):
    """it shows the attributes of an element of this process; pass dict(attributes.items()) as an argument"""

class Childless(ProcessSend):
    """it has no state"""

class DOMImplementation(ProcessSend):
    """it has no state"""

class Identified(Serializable):
    """mutable: its settings can be changed; pass it as an argument, or create it inside the process"""
