"""hypercorn's settings that its command line has no option for."""

#: By default, a head of more than 16 KiB passes if it comes in one piece, and else it is a 431:
#: which of the two hangs on how busy the machine is.
h11_max_incomplete_size = 128 * 1024
