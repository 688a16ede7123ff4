import pytest
from avatar_client import BackOff, connect
from fakes.avatar_server import FakeService, serve

FAST = BackOff(initial_secs=0.01, max_secs=0.05, give_up_secs=5.0)


@pytest.fixture
def service(tmp_path):
    service = FakeService(tmp_path)
    server, service.target = serve(service)
    yield service
    server.stop(None).wait()
    service.close()


@pytest.fixture
def client(service):
    with connect(service.target, back_off=FAST) as client:
        yield client
