"""What a container needs besides its image: the ConfigMaps and Secrets that its pod names. Pure.

The sentences are the kubelet's: pkg/kubelet/kubelet_pods.go (makeEnvironmentVariables), pkg/volume/configmap, secret.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from kdeploy.model import Obj
from kdeploy.sandbox.core.resources import CONFIG_MAPS, SECRETS, Resource

Get = Callable[[Resource, str, str], Obj | None]


def missing_in(container: Obj, namespace: str, get: Get) -> str | None:
    """What its environment refers to and is not there; None where nothing is missing."""
    for resource, reference, key in _references(container):
        if reference.get("optional"):
            continue
        missing = _missing(resource, str(reference.get("name") or ""), key, namespace, get)
        if missing:
            return missing
    return None


def missing_volume(spec: Obj, namespace: str, get: Get) -> str | None:
    """Why a volume of the pod cannot be mounted; None where each can. Other kinds than these count as there.

    What no container mounts is not looked for (pkg/kubelet/volumemanager/populator).
    """
    containers = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    mounted = {mount.get("name") for container in containers for mount in container.get("volumeMounts") or ()}
    for volume in spec.get("volumes") or ():
        if volume["name"] not in mounted:
            continue
        for resource, field, name_field in ((CONFIG_MAPS, "configMap", "name"), (SECRETS, "secret", "secretName")):
            source = volume.get(field)
            if not source or source.get("optional"):
                continue
            missing = _missing(resource, str(source.get(name_field) or ""), None, namespace, get)
            if missing:
                return f'MountVolume.SetUp failed for volume "{volume["name"]}" : {missing}'
    return None


def _references(container: Obj) -> Iterator[tuple[Resource, Obj, str | None]]:
    """(what, {"name", perhaps "optional"}, the key or None for the whole)."""
    for source in container.get("envFrom") or ():
        for resource, field in ((CONFIG_MAPS, "configMapRef"), (SECRETS, "secretRef")):
            if source.get(field):
                yield resource, source[field], None
    for variable in container.get("env") or ():
        value = variable.get("valueFrom") or {}
        for resource, field in ((CONFIG_MAPS, "configMapKeyRef"), (SECRETS, "secretKeyRef")):
            if value.get(field):
                yield resource, value[field], str(value[field].get("key") or "")


def _missing(resource: Resource, name: str, key: str | None, namespace: str, get: Get) -> str | None:
    found = get(resource, namespace, name)
    if found is None:
        return f'{resource.singular} "{name}" not found'
    has = any(key in (found.get(field) or {}) for field in ("data", "binaryData", "stringData"))
    return None if key is None or has else f"couldn't find key {key} in {resource.kind} {namespace}/{name}"
