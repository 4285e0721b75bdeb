from capsend_traits.marks import Never, ProcessSend

class AST(Never):
    """node classes differ from one Python version to the next; send the source, ast.unparse(node), and parse it inside the process with ast.parse(source)"""

class NodeVisitor(ProcessSend):
    """it has no state"""

class NodeTransformer(ProcessSend):
    """it has no state"""
