"""EndpointSlices, as `kubectl describe service` reads them: the Endpoints objects, seen in their newer form. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kdeploy.model import Obj
from kdeploy.sandbox.api.request import ENDPOINT_SLICES

SERVICE_LABEL = "kubernetes.io/service-name"


def slices_of(endpoints: Obj) -> Iterator[Obj]:
    """One slice for each subset; one that is empty where there is none."""
    metadata = endpoints["metadata"]
    for index, subset in enumerate(endpoints.get("subsets") or ({},)):
        found = [_endpoint(one, ready=True) for one in subset.get("addresses") or ()]
        found += [_endpoint(one, ready=False) for one in subset.get("notReadyAddresses") or ()]
        kept = {key: metadata[key] for key in ("namespace", "resourceVersion", "creationTimestamp") if key in metadata}
        named = {
            "name": f"{metadata['name']}-{index}",
            "uid": f"{metadata['uid']}-{index}",
            "labels": {**(metadata.get("labels") or {}), SERVICE_LABEL: metadata["name"]},
        }
        yield {
            "kind": ENDPOINT_SLICES.kind,
            "apiVersion": ENDPOINT_SLICES.api_version,
            "metadata": {**kept, **named},
            "addressType": "IPv4",
            "endpoints": found,
            "ports": [{"name": "", "protocol": "TCP", **port} for port in subset.get("ports") or ()],
        }


def _endpoint(address: Obj, *, ready: bool) -> dict[str, Any]:
    conditions = {"ready": ready, "serving": ready, "terminating": False}
    kept = {key: address[key] for key in ("nodeName", "targetRef") if key in address}
    return {"addresses": [address.get("ip")], "conditions": conditions, **kept}
