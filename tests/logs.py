"""Where a service's files are."""

from intercom_nb.log.thread_logs import file_name


def thread_logs_of(intercom):
    """Return the folder of the thread logs that a service writes."""
    return intercom.log.parent / file_name(intercom.name)
