from capsend_traits.marks import ProcessSend

class WasmModule(ProcessSend):
    """capturing it is the right to start processes of it"""

class WasmFunction(ProcessSend):
    """capturing it is the right to start processes of it"""
