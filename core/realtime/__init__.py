"""The live bus: what has just happened in a clinic, told to every open page and program that may know of it."""
