"""A recorded run as one page that stands by itself: to be sent, kept, printed, and read without Spark or a network."""
