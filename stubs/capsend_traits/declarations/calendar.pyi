from capsend_traits.marks import Serializable

class Calendar(Serializable):
    """mutable: its first weekday can be set; create calendar.Calendar inside the process"""

class TextCalendar(Serializable):
    """mutable: its first weekday can be set; create calendar.TextCalendar inside the process"""

class HTMLCalendar(Serializable):
    """mutable: its first weekday can be set; create calendar.HTMLCalendar inside the process"""

class LocaleTextCalendar(Serializable):
    """mutable: its first weekday can be set; create calendar.LocaleTextCalendar inside the process"""

class LocaleHTMLCalendar(Serializable):
    """mutable: its first weekday can be set; create calendar.LocaleHTMLCalendar inside the process"""
