"""All of it put together: the service that agents belong to."""

from intercom_nb.service.service import InterComService

__all__ = ["InterComService"]
