"""Lotline's platform. This file imports nothing: `oms.bootstrap` runs before anything is installed."""
