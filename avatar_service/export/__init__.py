"""Motion latents into the files and live protocols of other tools.

One table (`conventions`) holds every name, order, unit and sign of every target; the writers and
senders only lay out bytes. Every writer takes an iterable of MotionFrame, keeps constant memory,
and leaves nothing under the output's name unless it finished.
"""
