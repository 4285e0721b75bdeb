from capsend_traits.marks import Never

class AST(Never):
    """node classes differ from one Python version to the next; send the source, ast.unparse(node), and parse it inside with ast.parse(source)"""
