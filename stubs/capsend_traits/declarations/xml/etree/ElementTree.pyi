from capsend_traits.marks import Never, Serializable

class Element(Never):
    """it cannot be taken out of its C code; capture xml.etree.ElementTree.tostring(element), and parse it inside the process with xml.etree.ElementTree.fromstring(text)"""

class ElementTree(Never):
    """it holds elements, which cannot be taken out of their C code; capture xml.etree.ElementTree.tostring(tree.getroot()), and parse it inside the process with xml.etree.ElementTree.fromstring(text)"""

class XMLParser(Never):
    """it has read a document in part; pass the text, and parse it inside the process"""

class XMLPullParser(Never):
    """it has read a document in part; pass the text, and parse it inside the process"""

class TreeBuilder(Never):
    """it has read a document in part; pass the text, and parse it inside the process"""

class QName(Serializable):
    """its text can be replaced; capture name.text"""

_Element_Py = Element
