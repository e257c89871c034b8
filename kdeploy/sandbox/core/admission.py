"""What the API server refuses of a new pod, whoever made it. Pure. What it adds: defaults.py.

plugin/pkg/admission/serviceaccount.
"""

from __future__ import annotations

from collections.abc import Callable

from kdeploy.model import Obj
from kdeploy.sandbox.core.resources import SERVICE_ACCOUNTS, Resource

DEFAULT_ACCOUNT = "default"
"""The service account that every namespace has."""


def refusal(get: Callable[[Resource, str, str], Obj | None], namespace: str, name: str, spec: Obj) -> str | None:
    """Why a pod may not be created, in the API server's sentence; None where it may.

    `name` may be a prefix, of a pod whose name is generated. The account "default" needs no object.
    """
    account = spec.get("serviceAccountName") or DEFAULT_ACCOUNT
    if account == DEFAULT_ACCOUNT or get(SERVICE_ACCOUNTS, namespace, account) is not None:
        return None
    missing = f'serviceaccount "{account}" not found'
    return f'pods "{name}" is forbidden: error looking up service account {namespace}/{account}: {missing}'
