"""Lots and serials on their way to and from warehouse systems and sales channels."""
