"""``python -m intercom_nb`` is the command ``intercom-nb``."""

from intercom_nb.command import main

if __name__ == "__main__":
    main()
