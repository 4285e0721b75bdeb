from capsend_traits.marks import Never

class xmlparser(Never, hidden=True):
    """it has read a document in part; pass the text, and parse it inside the process"""

XMLParserType = xmlparser
