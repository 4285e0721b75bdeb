import numpy.ma

MaskedArray = numpy.ma.MaskedArray
