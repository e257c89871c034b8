"""Label selectors as workloads and services carry them, and node selectors as pods do. Pure.

Kubernetes: k8s.io/apimachinery/pkg/labels/selector.go, k8s.io/component-helpers/scheduling/corev1/nodeaffinity.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kdeploy.model import Obj


def selects(selector: Obj | None, labels: Mapping[str, str]) -> bool:
    """Whether a metav1.LabelSelector matches: an empty one matches everything, None nothing."""
    if selector is None:
        return False
    wanted = selector.get("matchLabels")
    if wanted and not has_all(wanted, labels):
        return False
    expressions = selector.get("matchExpressions")
    return not expressions or matches_all(expressions, labels)


def has_all(wanted: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Whether every wanted label is there with its value: the selector of a Service."""
    for key, value in wanted.items():  # noqa: SIM110 (all() takes twice as long, and every pod is asked)
        if labels.get(key) != value:
            return False
    return True


def is_everything(selector: Obj | None) -> bool:
    """Whether it selects every object of its namespace; no workload may."""
    return selector is not None and not selector.get("matchLabels") and not selector.get("matchExpressions")


def matches_all(expressions: Iterable[Obj], labels: Mapping[str, str]) -> bool:
    """Whether every expression ({"key", "operator", "values"}) holds; what cannot be read does not."""
    return all(_holds(each, labels) for each in expressions)


def _holds(expression: Obj, labels: Mapping[str, str]) -> bool:
    operator, value = str(expression.get("operator")), labels.get(str(expression.get("key")))
    values = [str(each) for each in expression.get("values") or ()]
    if operator == "In":
        return value is not None and value in values
    if operator == "NotIn":
        return value is None or value not in values
    if operator in ("Exists", "DoesNotExist"):
        return (value is not None) == (operator == "Exists")
    if operator in ("Gt", "Lt") and value is not None and len(values) == 1:
        return _compares(operator, value, values[0])
    return False


def _compares(operator: str, value: str, bound: str) -> bool:
    try:
        return int(value) > int(bound) if operator == "Gt" else int(value) < int(bound)
    except ValueError:
        return False
