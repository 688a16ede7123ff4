"""iceoryx2 beside our own transports in the benchmark; the service does not use it.

A sample holds sequence number and time of publication in front of the pixels; an event wakes who
waits for it, as iceoryx2's own examples do. Its files lie in a folder of the measurement's own: in
the usual one, /tmp/iceoryx2, they would stay.
"""

from __future__ import annotations

import ctypes
import importlib.util
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from avatar_service.signals import UInt8Array

HEAD_BYTES: Final = 16
NUM_WAITING: Final = 8
"""Samples that may wait for a subscriber: as many as a ring has slots."""


def is_installed() -> bool:
    """Whether the package is there (pip install iceoryx2)."""
    return importlib.util.find_spec("iceoryx2") is not None


def open_publisher(folder: str, num_bytes: int) -> Callable[[int, UInt8Array], None]:
    """Return what publishes (seq, bytes); the folder is iceoryx2's root."""
    data, event = _services(folder)
    size = HEAD_BYTES + num_bytes
    publisher = data.publisher_builder().initial_max_slice_len(size).create()
    notifier = event.notifier_builder().create()

    def send(seq: int, payload: UInt8Array) -> None:
        sample = publisher.loan_slice_uninit(size)
        place = _bytes_at(sample.payload_ptr, size)
        np.copyto(place[HEAD_BYTES:], payload)
        place[:HEAD_BYTES].view(np.int64)[:] = (seq, time.monotonic_ns())
        sample.assume_init().send()
        notifier.notify()

    return send


def read_samples(
    folder: str, num_bytes: int, *, first_secs: float, later_secs: float
) -> Iterator[tuple[int, int, int]]:
    """Yield (published_nanos, seq, bytes) once the bytes lie in this process's own memory."""
    import iceoryx2 as iox2

    data, event = _services(folder)
    subscriber = data.subscriber_builder().create()
    listener = event.listener_builder().create()
    size = HEAD_BYTES + num_bytes
    own = np.zeros(size, np.uint8)
    print("ready", flush=True)
    timeout = first_secs
    while True:
        sample = subscriber.receive()
        if sample is None:
            started = time.monotonic()
            listener.timed_wait(iox2.Duration.from_secs_f64(timeout))
            if time.monotonic() - started >= timeout:
                return
            continue
        timeout = later_secs
        np.copyto(own, _bytes_at(sample.payload_ptr, size))
        sample.delete()
        seq, published = own[:HEAD_BYTES].view(np.int64).tolist()
        yield published, seq, num_bytes


def _services(folder: str) -> tuple[Any, Any]:
    import iceoryx2 as iox2

    iox2.set_log_level(iox2.LogLevel.Error)
    config = iox2.config.default()
    config.global_cfg.root_path = iox2.Path.new(folder)
    name = f"avatar-bench-{Path(folder).name}"
    node = (
        iox2.NodeBuilder.new()
        .config(config)
        .signal_handling_mode(iox2.SignalHandlingMode.Disabled)
        .create(iox2.ServiceType.Ipc)
    )
    data = node.service_builder(iox2.ServiceName.new(name)).publish_subscribe(
        iox2.Slice[ctypes.c_uint8]
    )
    event = node.service_builder(iox2.ServiceName.new(name)).event()
    return data.subscriber_max_buffer_size(NUM_WAITING).open_or_create(), event.open_or_create()


def _bytes_at(address: int, size: int) -> UInt8Array:
    pointer = ctypes.cast(address, ctypes.POINTER(ctypes.c_uint8))
    return np.ctypeslib.as_array(pointer, (size,))
