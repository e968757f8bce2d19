"""The processor time that the process which reads one file may take from now on. Knows the system's limit; no file."""

import resource

GRACE = 5  # seconds between the signal that ends it and the one that nothing holds off


def limit_time(seconds: int, at_most: int) -> None:
    """End this process once it has computed for so long; renewed, it may take `at_most` seconds in all."""
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, at_most + GRACE))


def renew_time(seconds: int) -> None:
    """Let this process compute for so many seconds more."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    if most != resource.RLIM_INFINITY:  # a process that nobody limits stays so
        soft = int(used.ru_utime + used.ru_stime) + seconds
        resource.setrlimit(resource.RLIMIT_CPU, (min(soft, most), most))
