"""Components under a new type: stacks that stand keep what they have under the old one."""

import pulumi


def formerly(type_: str, opts: pulumi.ResourceOptions | None) -> pulumi.ResourceOptions:
    """Returns a component's options with the type that it had before, so that a deployment renames
    it and its children and replaces nothing."""
    known = pulumi.ResourceOptions(aliases=[pulumi.Alias(type_=type_)])
    return pulumi.ResourceOptions.merge(opts, known)
