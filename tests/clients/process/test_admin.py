"""The health pages, as a load balancer asks for them."""

import urllib.error
import urllib.request

import pytest

from harness.process import Tapegate


@pytest.mark.parametrize("page", ["/livez", "/readyz"])
def test_a_running_service_is_alive_and_ready(service: Tapegate, page: str):
    with urllib.request.urlopen(service.admin + page, timeout=10) as answer:
        assert answer.status == 200


def test_other_pages_are_not_found(service: Tapegate):
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(service.admin + "/no-such-page", timeout=10)
    with refused.value:
        assert refused.value.code == 404
