"""Events told to the systems of integrators: signed, in order, until they have taken them (docs/webhooks.md)."""
