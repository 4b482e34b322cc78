"""Engines that run a bundle's graphs; `loader` finds them by name and imports one when asked."""
