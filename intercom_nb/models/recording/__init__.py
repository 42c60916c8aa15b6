"""The tape: what a service's runs tell whoever records or plays them."""
