"""Attacks on the decoder of the host: results that are huge, deep or cyclic, and answers that are no messages at all."""

import json
import sys

from capsend import LimitExceeded, OutputLimitExceeded, ProcessFailed, SerializationError
from hostile.expect import MIB, attack

REFUSED = (ProcessFailed, SerializationError)


def answer(text):
    """Make the process answer with this text instead of its result."""
    sys.modules["capsend_guest.runtime"]._answer = lambda *_: text


def message(*nodes):
    """A value in the general form of the codec, from its nodes."""
    text = json.dumps(nodes, separators=(",", ":"))
    return f"vg{len(text):x}:{text}"


class Sent:
    """A class that is sent with the attack."""

    value = 1


@attack("limit", OutputLimitExceeded)
def return_megabytes_of_text():
    return "x" * 12 * MIB


@attack("limit", OutputLimitExceeded)
def return_megabytes_of_bytes():
    return bytes(8 * MIB)


@attack("limit", OutputLimitExceeded)
def answer_with_megabytes():
    answer("v" + "s" * 12 * MIB)


@attack("limit", OutputLimitExceeded)
def answer_with_wide_characters():
    answer("v" + "a" * 6 * MIB + "\U0001f600")


@attack("limit", OutputLimitExceeded)
def raise_megabytes():
    answer("e" + '{"errors":[' + '"' + "x" * 10 * MIB + '"]}')


@attack("normal")
def return_a_deep_list():
    deep = []
    for _ in range(50_000):
        deep = [deep]
    return deep


@attack("normal or failed")
def return_a_cycle_of_everything():
    thing = {"list": [], "set": set()}
    thing["self"] = thing
    thing["list"].append((thing, thing["list"]))
    thing["object"] = Sent()
    thing["object"].cycle = thing
    return thing


@attack("normal or failed or limit")
def return_very_many_small_things():
    return [[] for _ in range(1_000_000)]


@attack("failed", REFUSED)
def return_colliding_ints():
    modulus = 2**61 - 1
    return {n * modulus: 0 for n in range(1, 3_000)}


@attack("failed", REFUSED)
def answer_with_colliding_ints():
    modulus = 2**61 - 1
    answer(message(["s", *(n * modulus for n in range(1, 50_000))]))


@attack("failed", REFUSED)
def answer_with_tuples_that_hash_for_ever():
    nodes = [["t", 1, 2]]
    for n in range(60):
        nodes.append(["t", [n], [n]])
    answer(message(*nodes, ["f", [60]]))


@attack("failed", REFUSED)
def answer_with_a_key_too_deep_to_hash():
    answer(message(["t", 1], *(["t", [n]] for n in range(100_000)), ["d", [100_000], 1]))


@attack("failed", REFUSED)
def answer_with_json_too_deep():
    answer("vp" + "[" * 1_000_000 + "]" * 1_000_000)


@attack("failed", REFUSED)
def answer_with_references_too_deep():
    answer("vg1e8480:" + "[" * 1_000_000 + "]" * 1_000_000)


@attack("failed", REFUSED)
def answer_with_an_endless_int():
    answer("vp" + "9" * 3 * MIB)


@attack("normal or failed")
def answer_with_an_endless_hexadecimal_int():
    answer(message(["n", "f" * 3 * MIB]))


@attack("failed", REFUSED)
def answer_with_an_endless_decimal():
    names = ("D", "dec", "decimal", "Decimal")
    answer(message(*([name, "9" * (MIB // 2) + "E999999999999999999"] for name in names)))


@attack("failed", REFUSED)
def answer_with_an_exploding_pattern():
    source = "(?:" * 50 + "a{1,1000}" + "){1,1000}" * 50
    answer(message(["r", source, 0], ["re", source, 0], ["pattern", source, 0]))


@attack("failed", REFUSED)
def answer_with_a_pickle():
    import pickle

    class Evil:
        def __reduce__(self):
            return (eval, ("__import__('os').system('touch /tmp/capsend-was-here')",))

    data = pickle.dumps(Evil(), 0).decode("ascii")
    answer(f"vk{7:02}{data}")


@attack("failed", REFUSED)
def name_a_function_of_the_host():
    answer(message(["x", {"n": ["os", "system"]}]))


@attack("failed", REFUSED)
def name_a_builtin_of_the_host():
    answer(message(["x", {"n": ["builtins", "eval"]}]))


@attack("failed", REFUSED)
def name_a_module_of_the_host():
    answer(message(["x", {"m": "os"}]))


@attack("failed", REFUSED)
def name_a_class_of_the_host():
    answer(message(["x", {"n": ["subprocess", "Popen"]}], ["i", [0], {"pid": 1, "returncode": None}]))


@attack("failed", REFUSED)
def name_a_class_that_cleans_up():
    answer(
        message(
            ["x", {"n": ["tempfile", "_TemporaryFileCloser"]}], ["i", [0], {"name": "/tmp/precious", "delete": True}]
        )
    )


@attack("failed", REFUSED)
def name_what_was_never_sent():
    answer(message(["x", {"p": 10**6}]))


@attack("failed", REFUSED)
def name_what_is_before_the_first():
    answer(message(["x", {"p": -1}]))


@attack("failed", REFUSED)
def name_something_inside_what_was_sent():
    answer(message(["x", {"p": 0, "q": "__globals__.os"}]))


@attack("failed", REFUSED)
def name_through_dunder_attributes():
    answer(message(["x", {"n": ["builtins", "object.__subclasses__"]}]))


@attack("failed", REFUSED)
def instantiate_a_function():
    answer(message(["x", {"p": 0}], ["i", [0], {"x": 1}]))


@attack("failed", REFUSED)
def instantiate_type():
    answer(message(["x", {"n": ["builtins", "type"]}], ["i", [0], {"x": 1}]))


@attack("failed", REFUSED)
def fill_what_has_no_fields():
    answer(message(["x", {"n": ["builtins", "int"]}], ["i", [0], {"__class__": 1}]))


@attack("failed or normal")
def give_a_sent_class_hostile_fields():
    Sent()
    answer(message(["x", {"p": 0}], ["i", [0], {"__class__": 1, "__dict__": 2, "value": 3, "x\ud800": 4}]))


@attack("failed", REFUSED)
def answer_with_bytes_beyond_the_end():
    answer(message(["b", 10**12, 7]))


@attack("failed", REFUSED)
def answer_with_bytes_in_front_of_the_start():
    answer(message(["b", -10, 64]))


@attack("failed", REFUSED)
def answer_with_a_node_that_waits_for_itself():
    answer(message(["t", [0]]))


@attack("failed", REFUSED)
def answer_with_nodes_that_wait_for_each_other():
    answer(message(*(["t", [n + 1]] for n in range(10_000)), ["t", [0]]))


@attack("failed", REFUSED)
def answer_with_an_unknown_tag():
    answer(message(["__reduce__", "os.system", "true"]))


@attack("failed", REFUSED)
def answer_with_a_node_of_the_wrong_shape():
    answer(message({"l": 1}, "l", 3, [], [[]], ["l", {"a": 1}], ["d", 1]))


@attack("failed", REFUSED)
def answer_with_nothing():
    answer("")


@attack("failed", REFUSED)
def answer_with_an_unknown_kind():
    answer("zsomething")


@attack("failed", REFUSED)
def answer_with_a_value_that_is_no_message():
    answer("v")


@attack("failed", REFUSED)
def answer_with_a_lie_about_its_length():
    answer("vgffffffffffffffff:[]")


@attack("failed", REFUSED)
def answer_with_letters_as_length():
    answer("vg\u0661\u0662:[]")


@attack("failed", REFUSED)
def answer_outside_ascii():
    answer('vp"\u00e4\u20ac\U0001f600"')


@attack("failed", REFUSED)
def refuse_to_send_with_nonsense():
    answer("u{}")


@attack("failed", REFUSED)
def refuse_to_send_with_too_little():
    answer('u["a"]')


@attack("failed", REFUSED)
def refuse_to_send_with_numbers():
    answer('u[1,{"a":[2]},null]')


@attack("failed", REFUSED)
def refuse_to_send_too_deeply():
    answer("u" + "[" * 1_000_000)


@attack("failed or limit", (ProcessFailed, SerializationError, LimitExceeded))
def refuse_to_send_megabytes():
    answer("u[" + ",".join(["[]"] * MIB) + "]")


@attack("failed", REFUSED)
def answer_with_an_error_that_is_none():
    answer("e")


@attack("failed", REFUSED)
def answer_with_an_error_too_deep():
    answer("e" + '{"errors":' * 200_000)


@attack("failed", REFUSED)
def answer_with_errors_of_the_wrong_type():
    answer('e{"errors":[1,null,{"type":3,"message":[],"notes":{"a":1},"frames":[[]],"cause":-1,"members":"x"}]}')


@attack("failed", REFUSED)
def answer_with_no_errors():
    answer('e{"errors":[]}')


@attack("trap or failed", ProcessFailed)
def answer_with_something_that_is_no_text():
    sys.modules["capsend_guest.app"].WitWorld.run = None
    sys.modules["capsend_guest.runtime"]._answer = lambda *_: 42


@attack("trap or failed", ProcessFailed)
def answer_with_a_surrogate():
    answer("v\ud800")


@attack("failed or trap", ProcessFailed)
def answer_with_a_subclass_of_text():
    class Text(str):
        def encode(self, *_):
            return b"\xff" * 100

        def __len__(self):
            return 10**9

    answer(Text("v"))


@attack("failed or trap", ProcessFailed)
def answer_with_garbage_from_the_codec():
    sys.modules["capsend.codec"].encode = lambda *_, **__: "\0\1\2 garbage"


@attack("failed or trap", Exception)
def patch_json():
    vars(sys.modules["json"])["dumps"] = lambda *_, **__: '{"errors": "all of them"}'
    sys.modules["capsend.codec"].dumps = json.dumps
    raise ValueError


@attack("failed or normal", (ProcessFailed, SerializationError))
def return_a_class_with_a_hostile_metaclass():
    class Meta(type):
        def __getattribute__(cls, name):
            raise SystemExit

        def __hash__(cls):
            raise SystemExit

        def __eq__(cls, other):
            raise SystemExit

    class Hostile(metaclass=Meta):
        pass

    return Hostile


@attack("failed or normal", (ProcessFailed, SerializationError))
def return_an_instance_of_a_hostile_class():
    class Hostile:
        __slots__ = ("__dict__",)

        def __getattribute__(self, name):
            raise SystemExit

        def __reduce_ex__(self, protocol):
            return eval, ("1",)

    return Hostile()


@attack("failed", REFUSED)
def return_something_that_pretends_to_be_a_list():
    class Pretender(list):
        __class__ = list

        def __iter__(self):
            raise SystemExit

        def __len__(self):
            return -1

    return [Pretender([1])]
