"""What is sent to webhooks is taken by the library of Standard Webhooks, which its receivers use, and by it alone."""

from __future__ import annotations

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from consentry.bootstrap import Deployment
from consentry.policy.library import shipped
from service.at_work import in_thread, until
from service.test_webhooks import deployment as deployment  # noqa: PLC0414 - a fixture
from service.test_webhooks import hooked, receiver, refuse


def test_each_delivery_is_verified_by_the_library_of_the_standard(deployment: Deployment) -> None:
    """Also one that is sent again. Changed by a byte, or by another secret, it is refused."""
    with receiver() as found, in_thread(deployment) as ask:
        found.answers = [500]
        _, secret = hooked(deployment, found.url)
        deployment.control.statements.publish(shipped()["august-2024"], "p")
        refuse(ask, deployment, "somebody")
        until(lambda: len(found.got) == 2)
    read = [Webhook(secret).verify(content, headers) for headers, content in found.seen]
    assert [each["type"] for each in read] == ["policy.published", "policy.published", "choice.recorded"]
    assert len({headers["webhook-id"] for headers, _ in found.seen}) == 2
    headers, content = found.seen[-1]
    another = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    for key, sent in ((secret, content.replace(b"choice", b"choices")), (another, content)):
        with pytest.raises(WebhookVerificationError):
            Webhook(key).verify(sent, headers)
