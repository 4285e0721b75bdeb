"""Both impls on one class, and an impl without a reason, are errors in their lines."""

from capsend import not_process_send, unsafe_process_send


@unsafe_process_send("a")  # E: class Both has both a negative and an unsafe impl of ProcessSend: "b" against "a"
@not_process_send("b")
class Both: ...


@not_process_send("")  # E: @not_process_send needs its reason
class Empty: ...
