"""The cluster's certificate authority, its certificates and the kubeconfigs that carry them."""

import base64
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.cluster.commands import run

DAYS = "3650"
KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def create_authority(folder: Path) -> None:
    """Makes ca.crt and ca.key, and the key pair that signs service account tokens."""
    subject = ("-subj", "/CN=kdeploy-test-cluster", "-days", DAYS)
    run("openssl", "req", "-x509", *KEY, *subject, "-keyout", folder / "ca.key", "-out", folder / "ca.crt")
    run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", folder / "tokens.key")
    run("openssl", "ec", "-in", folder / "tokens.key", "-pubout", "-out", folder / "tokens.pub")


def issue(folder: Path, name: str, user: str, groups: Sequence[str] = (), addresses: Sequence[str] = ()) -> None:
    """Makes NAME.crt and NAME.key for a user, or for a server if it has addresses (`IP:...` or `DNS:...`)."""
    subject = "".join(f"/O={_escaped(group)}" for group in groups) + f"/CN={_escaped(user)}"
    with tempfile.TemporaryDirectory() as scratch:
        request, extensions = Path(scratch) / "request", Path(scratch) / "extensions"
        run("openssl", "req", "-new", *KEY, "-subj", subject, "-keyout", folder / f"{name}.key", "-out", request)
        usage = "extendedKeyUsage=clientAuth,serverAuth\n"
        extensions.write_text(usage + (f"subjectAltName={','.join(addresses)}\n" if addresses else ""))
        authority = ("-CA", folder / "ca.crt", "-CAkey", folder / "ca.key", "-CAcreateserial")
        result = ("-days", DAYS, "-extfile", extensions, "-out", folder / f"{name}.crt")
        run("openssl", "x509", "-req", "-in", request, *authority, *result)


def write_kubeconfig(path: Path, server: str, pki: Path, *, name: str = "", token: str = "") -> Path:
    """Writes a kubeconfig, readable by its owner alone, for the certificate called `name` or for a token."""
    user = {"token": token} if token else _login(pki, name)
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": "kdeploy", "cluster": {"server": server, "certificate-authority-data": _encoded(pki / "ca.crt")}}
        ],
        "users": [{"name": "user", "user": user}],
        "contexts": [{"name": "kdeploy", "context": {"cluster": "kdeploy", "user": "user"}}],
        "current-context": "kdeploy",
    }
    new = path.with_name(f".{path.name}.new")  # whoever reads the one that was there goes on reading it
    new.unlink(missing_ok=True)
    new.touch(mode=0o600)
    new.write_text(json.dumps(content, indent=1))
    return new.replace(path)


def _login(pki: Path, name: str) -> dict[str, str]:
    return {
        "client-certificate-data": _encoded(pki / f"{name}.crt"),
        "client-key-data": _encoded(pki / f"{name}.key"),
    }


def _encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def _escaped(text: str) -> str:
    """A value of an openssl subject, in which slash, plus and backslash mean something."""
    return "".join(f"\\{letter}" if letter in "\\/+" else letter for letter in text)
