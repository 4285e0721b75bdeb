import ast

AST = ast.AST
