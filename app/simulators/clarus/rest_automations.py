"""Automations over REST in the simulated Clarus (fact sheet 10.1): create, change, delete."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from app.simulators.clarus import rules
from app.simulators.clarus.automations import EVENTS
from app.simulators.clarus.office import Missing, Office, answer


class AutomationDesk:
    """The operations on automations."""

    def __init__(self, office: Office) -> None:
        self._office = office

    def create_automation(self, request: Request, body: Any) -> Response:
        given = rules.envelope(body, "automations")["attributes"]
        resource, event = given.get("resource_name"), given.get("event")
        if resource not in EVENTS or event not in EVENTS[resource] or not isinstance(given.get("enabled"), bool):
            raise rules.invalid("resource_name, event or enabled", "is not valid")
        one = self._office.webhooks.add(str(given.get("name", "")), resource, event, enabled=given["enabled"])
        one.url = _webhook_url(given.get("actions_changes")) or ""
        return self._automation(one.id)

    def update_automation(self, request: Request, body: Any) -> Response:
        one = self._office.webhooks.all.get(request.path_params["id"])
        if one is None:
            raise Missing(f"automation {request.path_params['id']} does not exist")
        given = rules.envelope(body, "automations")["attributes"]
        event, enabled = given.get("event") or one.event, given.get("enabled")
        if event not in EVENTS[one.resource] or enabled not in (None, True, False):
            raise rules.invalid("event or enabled", "is not valid")
        one.event, one.name = event, given.get("name") or one.name
        one.enabled = one.enabled if enabled is None else enabled
        one.url = _webhook_url(given.get("actions_changes")) or one.url
        return self._automation(one.id)

    def delete_automation(self, request: Request, body: Any) -> Response:
        if self._office.webhooks.all.pop(request.path_params["id"], None) is None:
            raise Missing(f"automation {request.path_params['id']} does not exist")
        return Response(status_code=204)

    def _automation(self, automation_id: int) -> Response:
        one = self._office.webhooks.all[automation_id]
        attributes = {"resource_name": one.resource, "event": one.event, "enabled": one.enabled}
        return answer({"data": {"id": one.id, "type": "automations", "attributes": attributes}})


def _webhook_url(actions: Any) -> str | None:
    """The URL of the webhook action among these changes; None where there is none."""
    for action in actions or []:
        given = action.get("attributes") or {}
        if given.get("destination_type") != "webhook":
            continue
        for parameter in given.get("parameters_changes") or []:
            inner = parameter.get("attributes") or {}
            if inner.get("parameter_code") == "webhook_url":
                return str(inner.get("value", ""))
    return None
