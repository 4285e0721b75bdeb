from capsend_traits.marks import Never, ProcessSend

class date(ProcessSend):
    """immutable"""

class time(ProcessSend):
    """immutable"""

class datetime(ProcessSend):
    """immutable"""

class timedelta(ProcessSend):
    """immutable"""

class timezone(ProcessSend):
    """immutable"""

class IsoCalendarDate(Never, hidden=True):
    """it cannot be rebuilt exactly; capture tuple(day.isocalendar()), or the day"""

_IsoCalendarDate = IsoCalendarDate
