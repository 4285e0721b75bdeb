"""Programs that attack; `test_hostile.py` runs each of them and proves that it ends alone, as its `attack` line says."""
