"""Programs with a known fault, each as an RDD and as a DataFrame, for the debugger to be measured and tested on.

Ten are those that the systems of this field measure themselves on (BigSift, FlowDebug, Titian), made anew; the
eleventh is a fault in real data. A subject's `make` writes its input and, beside it, the truth about it.
"""

import sys

from pyspark import cloudpickle

from benchmarks.subjects.airports import AIRPORT
from benchmarks.subjects.commutes import COMMUTE
from benchmarks.subjects.courses import COURSES
from benchmarks.subjects.documents import INDEX, VECTOR
from benchmarks.subjects.flights import FLIGHTS
from benchmarks.subjects.movies import FREQUENCY, HISTOGRAM
from benchmarks.subjects.students import COLLEGE, CRASHING
from benchmarks.subjects.subject import Made, Subject, flat
from benchmarks.subjects.truth import Bad, Place, Truth, bad
from benchmarks.subjects.weather import WEATHER

__all__ = ["SUBJECTS", "Bad", "Made", "Place", "Subject", "Truth", "bad", "flat"]

# Their functions go to the workers as those of a script do.
cloudpickle.register_pickle_by_value(sys.modules[__name__])

SUBJECTS = {
    subject.name: subject
    for subject in (
        *(HISTOGRAM, FREQUENCY, INDEX, VECTOR, COLLEGE, CRASHING),
        *(WEATHER, AIRPORT, COURSES, COMMUTE, FLIGHTS),
    )
}
