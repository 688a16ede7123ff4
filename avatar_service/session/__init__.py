"""The only room that knows the order audio, motion, render, transports."""
