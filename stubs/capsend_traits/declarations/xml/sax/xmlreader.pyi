from capsend_traits.marks import Never

class XMLReader(Never):
    """it has read a document in part; pass the text, and parse it inside the process"""
