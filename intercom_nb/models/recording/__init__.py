"""Playing: a log is a recording, and a tape is what the runs of a service tell whoever plays one."""
