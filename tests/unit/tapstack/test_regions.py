"""The two regions and their providers."""

import json

from harness import Deployment, program, run_program

from tapstack.regions import EMULATED_SERVICES


def providers(deployment: Deployment) -> dict[str, dict[str, object]]:
    """Inputs of the providers, by region."""
    return {
        provider.inputs["region"]: provider.inputs
        for provider in deployment.created("pulumi:providers:aws")
    }


def test_the_lab_calls_one_address_for_every_service() -> None:
    """N1: in the lab every service's endpoint is the lab's, and no profile is looked up."""
    for inputs in providers(program("network")).values():
        (endpoints,) = json.loads(str(inputs["endpoints"]))
        names = {service.removesuffix("_") for service in EMULATED_SERVICES}
        assert set(endpoints) == names
        assert set(endpoints.values()) == {"http://127.0.0.1:45660"}
        assert inputs["accessKey"] == "lab"


def test_aws_stacks_have_no_endpoints_and_no_keys() -> None:
    """R9: on AWS the machine's own credentials count, and AWS's own addresses."""
    for inputs in providers(program("network", "dev")).values():
        assert "endpoints" not in inputs
        assert "accessKey" not in inputs


def test_the_account_is_the_only_one_allowed() -> None:
    """Trap 41: a bare ``pulumi up`` with another account's credentials is refused as well."""
    deployment = run_program("network", stack="dev", config={"TapStack:accountId": "123456789012"})
    for inputs in providers(deployment).values():
        assert json.loads(str(inputs["allowedAccountIds"])) == ["123456789012"]
    for inputs in providers(program("network", "dev")).values():
        assert "allowedAccountIds" not in inputs
