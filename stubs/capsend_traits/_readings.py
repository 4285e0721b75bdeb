"""Whether code only reads a value that it could change, and passes it to no other code."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

from capsend_traits._balance import is_undone

if TYPE_CHECKING:
    from collections.abc import Callable, Container

    from capsend_traits._scopes import Scope, Tree

MAX_DEPTH: Final = 8
# Built-in functions that keep nothing of their argument, by what their result contains: no parts of it, its parts, or
# pairs of them.
ANSWERS: Final = frozenset({"all", "any", "ascii", "bool", "isinstance", "len", "print", "repr", "str", "sum", "type"})
COPIES: Final = frozenset({"dict", "frozenset", "iter", "list", "reversed", "set", "sorted", "tuple"})
CHOICES: Final = frozenset({"max", "min", "next"})
PAIRS: Final = frozenset({"enumerate", "zip"})
CALLING: Final = frozenset({"filter", "map"})
BUILTINS: Final = ANSWERS | COPIES | CHOICES | PAIRS | CALLING
# Functions of the standard library that keep nothing of their arguments, and return a copy, parts, or nothing of them.
LIBRARY: Final = frozenset(
    {
        "bisect.bisect",
        "bisect.bisect_left",
        "bisect.bisect_right",
        "copy.copy",
        "copy.deepcopy",
        "itertools.accumulate",
        "itertools.chain",
        "itertools.chain.from_iterable",
        "itertools.combinations",
        "itertools.islice",
        "itertools.permutations",
        "itertools.product",
        "itertools.zip_longest",
        "json.dumps",
        "math.fsum",
        "math.prod",
        "random.choice",
        "random.sample",
    }
)
METHODS_THAT_ANSWER: Final = frozenset(
    {"__contains__", "__len__", "count", "index", "isdisjoint", "issubset", "issuperset", "keys"}
)
METHODS_THAT_CHOOSE: Final = frozenset({"__getitem__", "get"})
METHODS_THAT_COPY: Final = frozenset(
    {"copy", "difference", "intersection", "symmetric_difference", "union", "values", "__iter__"}
)
OPERATORS: Final = (ast.Add, ast.BitAnd, ast.BitOr, ast.BitXor, ast.Mult, ast.Sub)
DYNAMIC: Final = frozenset({"eval", "exec", "globals", "locals", "vars"})
DYNAMIC_ATTRIBUTES: Final = frozenset({"__globals__", "__builtins__", "f_globals", "f_locals", "gi_frame", "tb_frame"})


def paired(depth: int) -> int:
    """Return the depth of a series of tuples, each with a part of a container of the given depth."""
    return 1 if depth <= 1 else depth + 1


class Readings:
    """Follows a value through one syntax tree.

    A value has a depth: 0 if nothing in it can be changed, 1 if it is a container of such values, 2 if it is a
    container of those, and so on. A part has a depth one smaller; a value of depth 0 may be passed anywhere.

    Args:
        tree: the scopes of the module or function.
        once: the scopes whose code runs only during the import, which may change the value.

    Attributes:
        grown: True if such code does change it.
        borrowed: True if a function changes it temporarily, which restores it only if it was empty.
    """

    def __init__(
        self, tree: Tree, *, once: Container[Scope] = (), outside: Callable[[str], str] = lambda _: ""
    ) -> None:
        self.tree = tree
        self.grown = False
        self.borrowed = False
        self._once = once
        self._outside = outside
        self._followed: dict[tuple[Scope, str], int] = {}

    def reads(self, node: ast.expr, depth: int) -> bool:
        """Return whether the uses of an expression's value only read it, apart from uses that run once, during the import."""
        if depth <= 0 or self._only_reads(node, depth):
            return True
        if depth <= MAX_DEPTH and self._is_done_once(node, depth):
            self.grown = True
            return True
        if depth == 1 and is_undone(self.tree, node):
            self.borrowed = True
            return True
        return False

    def _is_done_once(self, node: ast.expr, depth: int) -> bool:
        """Return whether code that runs only during the import changes the value: `TABLE[key] = 1`, `TABLE.update(more)`."""
        root: ast.expr = node
        while isinstance(root, ast.Attribute | ast.Call | ast.Subscript):
            root = root.func if isinstance(root, ast.Call) else root.value
        if self.tree.scopes.get(root) not in self._once if isinstance(root, ast.Name) else True:
            return False
        parent = self.tree.parents.get(node)
        if isinstance(parent, ast.Subscript) and parent.value is node:
            return not isinstance(parent.ctx, ast.Load)
        call = self.tree.parents.get(parent) if isinstance(parent, ast.Attribute) else None
        return isinstance(call, ast.Call) and call.func is parent and self.reads(call, depth - 1)

    def _only_reads(self, node: ast.expr, depth: int) -> bool:
        if depth > MAX_DEPTH or not isinstance(getattr(node, "ctx", None), ast.Load | None):
            return False
        parent = self.tree.parents.get(node)
        match parent:
            case ast.Expr() | ast.Assert() | ast.FormattedValue() | ast.MatchValue():
                return True
            case ast.If() | ast.While():
                return parent.test is node
            case ast.UnaryOp():
                return isinstance(parent.op, ast.Not)
            case ast.Subscript() if parent.value is node and isinstance(parent.ctx, ast.Load):
                return self.reads(parent, depth if isinstance(parent.slice, ast.Slice) and depth > 1 else depth - 1)
            case ast.Compare():
                return self._compared(parent, node)
            case ast.Call():
                return self._argument(parent, node, depth)
            case ast.keyword():
                return self._spread(parent, depth)
            case ast.Attribute():
                return self._method(parent, depth)
            case ast.BinOp():
                return self._operator(parent, node, depth)
            case ast.BoolOp() | ast.Await():
                return not isinstance(parent, ast.Await) and self.reads(parent, depth)
            case ast.IfExp():
                return parent.test is node or self.reads(parent, depth)
            case ast.Starred():
                return self._starred(parent, depth)
            case _:
                return self._contained(parent, node, depth)

    def _contained(self, parent: ast.AST | None, node: ast.expr, depth: int) -> bool:
        """Judge a value that is put into a container, bound to a name, or looped over."""
        match parent:
            case ast.List() | ast.Tuple() | ast.Set():
                return self.reads(parent, depth + 1)
            case ast.Dict():
                return self._in_dict(parent, node, depth)
            case ast.For() if parent.iter is node:
                return self._looped(node, parent.target, depth)
            case ast.comprehension():
                return parent.iter is not node or self._looped(node, parent.target, depth)
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp():
                return self.reads(parent, depth + 1)
            case ast.DictComp():
                return parent.key is node or self.reads(parent, depth + 1)
            case ast.Assign():
                return all(self.flows(target, depth) for target in parent.targets)
            case ast.AnnAssign() if parent.value is node:
                return self.flows(parent.target, depth)
            case ast.NamedExpr():
                return self.flows(parent.target, depth) and self.reads(parent, depth)
            case ast.AugAssign() if parent.value is node:
                return depth == 1 and isinstance(parent.op, OPERATORS) and isinstance(parent.target, ast.Name)
        return False

    def _looped(self, series: ast.expr, target: ast.expr, depth: int) -> bool:
        if isinstance(series, ast.Call) and isinstance(target, ast.Tuple) and len(target.elts) == 2:
            function = series.func
            is_items = isinstance(function, ast.Attribute) and function.attr == "items"
            if is_items or self.called(function) == "enumerate":
                return self.flows(target.elts[1], depth - 2)  # the first item of each pair is a key or a number
        return self.flows(target, depth - 1)

    def flows(self, target: ast.expr, depth: int) -> bool:
        """Return whether a value assigned to a target is only read from then on."""
        if depth <= 0:
            return True
        match target:
            case ast.Tuple() | ast.List():
                return all(self.flows(part, depth - 1) for part in target.elts)
            case ast.Starred():
                return self.flows(target.value, depth + 1)
            case ast.Name():
                return self._named(target, depth)
        return False

    def _named(self, target: ast.Name, depth: int) -> bool:
        owners = self.tree.owners(target)
        if len(owners) != 1 or owners[0].kind == "class":
            return False
        if owners[0].kind == "module":
            bindings = self.tree.bindings.get(target.id, [])
            if len(bindings) != 1 or bindings[0].repeated:
                return False
        return self.named(owners[0], target.id, depth)

    def named(self, scope: Scope, name: str, depth: int, *, is_mapping: bool = False) -> bool:
        """Return whether every use of a variable that holds the value only reads the value."""
        key = scope, name
        if self._followed.get(key, 0) >= depth:
            return True
        if depth > MAX_DEPTH:
            return False
        self._followed[key] = depth
        return all(self._read_or_bound(node, depth, is_mapping=is_mapping) for node in self.tree.uses(scope, name))

    def _read_or_bound(self, node: ast.Name, depth: int, *, is_mapping: bool = False) -> bool:
        if isinstance(node.ctx, ast.Load):
            return self.reads_constant(node, depth, is_mapping=is_mapping)
        if not isinstance(self.tree.parents.get(node), ast.AugAssign):
            return True
        self.grown = True
        return self.tree.scopes.get(node) in self._once

    def reads_constant(self, node: ast.expr, depth: int, *, is_mapping: bool) -> bool:
        """Return whether a use of the constant itself only reads it; the keys of a dict cannot be changed."""
        if is_mapping and depth > 1 and self._takes_keys(node):
            return self.reads(node, 1)
        return self.reads(node, depth)

    def _takes_keys(self, node: ast.expr) -> bool:
        match self.tree.parents.get(node):
            case ast.For() | ast.comprehension() as loop:
                return loop.iter is node
            case ast.Call() as call:
                return len(call.args) == 1 and self.called(call.func) in {
                    "iter",
                    "list",
                    "max",
                    "min",
                    "set",
                    "sorted",
                    "tuple",
                }
        return False

    def _compared(self, parent: ast.Compare, node: ast.expr) -> bool:
        operands = [parent.left, *parent.comparators]
        searched = [operands[i] for i, operator in enumerate(parent.ops) if isinstance(operator, ast.In | ast.NotIn)]
        return node not in searched  # `X in other` passes X to the other's `__contains__`

    def _argument(self, call: ast.Call, node: ast.expr, depth: int) -> bool:
        if call.func is node:
            return False
        name = self.called(call.func)
        if name == "sum":
            return depth == 1 and call.args[0] is node  # the sum of nothing is the start value itself
        if name in ANSWERS:
            return name != "type" or len(call.args) == 1
        if name in CHOICES:
            if len(call.args) > 1:
                return self.reads(call, depth)  # an argument, or the default
            return self.reads(call, depth - 1) and (depth == 1 or not call.keywords)
        if name in COPIES or name in LIBRARY:
            return depth == 1 or (name in COPIES and not call.keywords and self.reads(call, depth))
        if name in PAIRS:
            return depth == 1 or self.reads(call, paired(depth))
        if name in CALLING:
            return depth == 1 and node in call.args[1:]
        return self._joined(call)

    def _joined(self, call: ast.Call) -> bool:
        """Return whether a call is `text.join(value)` of a visible text."""
        function = call.func
        return (
            isinstance(function, ast.Attribute)
            and function.attr == "join"
            and (
                isinstance(function.value, ast.JoinedStr)
                or (isinstance(function.value, ast.Constant) and isinstance(function.value.value, str | bytes))
            )
        )

    def called(self, function: ast.expr) -> str:
        """Return the name of a built-in function, or of a function of the standard library, that an expression names; else an empty text."""
        attributes: list[str] = []
        while isinstance(function, ast.Attribute):
            attributes.insert(0, function.attr)
            function = function.value
        if not isinstance(function, ast.Name):
            return ""
        owners = self.tree.owners(function)
        if len(owners) != 1:
            return ""
        owner = owners[0]
        if function.id not in owner.bound:
            if not attributes and function.id in BUILTINS:
                return function.id if not self.tree.stars else ""
            name = ".".join([self._outside(function.id), *attributes])
            return name if name in LIBRARY else ""
        targets = set(owner.imports.get(function.id, ()))
        if function.id in owner.others or len(targets) != 1:
            return ""
        name = ".".join([*targets, *attributes])
        return name if name in LIBRARY else ""

    def _spread(self, parent: ast.keyword, depth: int) -> bool:
        call = self.tree.parents.get(parent)
        if parent.arg is not None or not isinstance(call, ast.Call):
            return False
        return depth == 1 or (self.called(call.func) == "dict" and self.reads(call, depth))

    def _starred(self, parent: ast.Starred, depth: int) -> bool:
        around = self.tree.parents.get(parent)
        if depth == 1:
            return True
        return isinstance(around, ast.List | ast.Tuple | ast.Set) and self.reads(around, depth)

    def _in_dict(self, parent: ast.Dict, node: ast.expr, depth: int) -> bool:
        for key, value in zip(parent.keys, parent.values, strict=True):
            if value is node:
                return self.reads(parent, depth if key is None else depth + 1) if key or depth > 1 else True
        return True  # a key, which cannot contain anything mutable

    def _method(self, attribute: ast.Attribute, depth: int) -> bool:
        call = self.tree.parents.get(attribute)
        name = attribute.attr
        if not isinstance(call, ast.Call) or call.func is not attribute:
            reads = name in METHODS_THAT_ANSWER or name in METHODS_THAT_CHOOSE
            return reads and depth == 1 and self._is_called(call)
        if name in METHODS_THAT_ANSWER:
            return True
        if name in METHODS_THAT_CHOOSE:
            return self.reads(call, depth - 1)
        if name in METHODS_THAT_COPY:
            return depth == 1 or self.reads(call, depth)
        return name == "items" and (depth == 1 or self.reads(call, paired(depth)))

    def _is_called(self, around: ast.AST | None) -> bool:
        """Return whether a function at the place of the expression is only called: `sorted(words, key=RANKS.get)`."""
        if isinstance(around, ast.keyword) and around.arg == "key":
            around = self.tree.parents.get(around)
            return isinstance(around, ast.Call) and self.called(around.func) in {"max", "min", "sorted"}
        return isinstance(around, ast.Call) and self.called(around.func) in CALLING

    def _operator(self, parent: ast.BinOp, node: ast.expr, depth: int) -> bool:
        if isinstance(parent.op, ast.Mod):  # `"%s" % value`
            left = parent.left
            return left is not node and isinstance(left, ast.Constant) and isinstance(left.value, str | bytes)
        return isinstance(parent.op, OPERATORS) and (depth == 1 or self.reads(parent, depth))
