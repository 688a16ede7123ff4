"""How busy the GPU is, by NVIDIA's management library (NVML, package nvidia-ml-py in [cuda])."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class GpuReading:
    """One moment of one GPU.

    Attributes:
        device: as in the configuration, "cuda:0".
        busy_share: of the last sample period in which a kernel ran, 0 to 1.
    """

    device: str
    busy_share: float
    memory_used_bytes: int
    memory_total_bytes: int


class GpuUsage:
    """Reads one device; of the CPU, or without NVML, there is nothing to read.

    Args:
        device: "cpu" or "cuda:N".
    """

    def __init__(self, device: str) -> None:
        self._device = device
        self._nvml: Any = None
        self._handle: Any = None
        if device.startswith("cuda"):
            self._open(int(device.partition(":")[2] or 0))

    def read(self) -> GpuReading | None:
        """Return the reading of now; None where there is none."""
        if self._handle is None:
            return None
        try:
            usage = self._nvml.nvmlDeviceGetUtilizationRates(self._handle)
            memory = self._nvml.nvmlDeviceGetMemoryInfo(self._handle)
        except Exception as error:  # NVMLError of many kinds, a lost GPU among them
            log.warning("the GPU cannot be read any more: %s", type(error).__name__)
            self._handle = None
            return None
        return GpuReading(self._device, usage.gpu / 100, int(memory.used), int(memory.total))

    def _open(self, index: int) -> None:
        try:
            import pynvml

            pynvml.nvmlInit()
            self._handle = pynvml.nvmlDeviceGetHandleByIndex(index)
            self._nvml = pynvml
        except Exception as error:  # not installed, or no driver
            log.warning(
                "no figures of the GPU: %s (pip install nvidia-ml-py)", type(error).__name__
            )
