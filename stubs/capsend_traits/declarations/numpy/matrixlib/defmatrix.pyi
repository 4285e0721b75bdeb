import numpy

matrix = numpy.matrix
