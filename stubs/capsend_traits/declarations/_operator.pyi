import operator

itemgetter = operator.itemgetter
attrgetter = operator.attrgetter
methodcaller = operator.methodcaller
