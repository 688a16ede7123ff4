"""The service and its clients are killed at random moments; nothing may be left of them."""

import numpy as np
import pytest

from avatar_service.endurance.chaos import ChaosPlan, run_chaos

pytestmark = pytest.mark.e2e


def test_killed_services_and_clients_leave_nothing_and_no_client_is_told_nonsense() -> None:
    plan = ChaosPlan(cycles=10, clients=2, service_share=0.2, seed=1)
    speech = (0.3 * np.sin(np.arange(48_000) * 0.05)).astype(np.float32)
    figures = run_chaos(plan, speech=speech)
    assert figures["service_killed"] + figures["clients_killed"] == 10
    assert figures["service_killed"] >= 1
    assert figures["left_after_restart"] == 0, figures
    assert figures["left_at_the_end"] == {"sessions": 0, "rings": 0, "files": 0}
    assert figures["unsound_faults"] == 0, figures["faults_met_by_clients"]
    assert figures["exit_code"] == 0
