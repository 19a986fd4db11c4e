#!/usr/bin/env python3
"""Curfew's tokens and its OAuth calls, by the libraries that others use. Started by Tests/Interoperability/run.

Starts `curfew dev` with two nodes on free ports. Prints a line for each promise; exits 1 at the first that is broken.
Whatever happens, everything that was started has ended when it exits.
"""

import contextlib
import json
import os
import pathlib
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time

import jwt
import requests
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from joserfc import jwk
from joserfc import jwt as jose

PATIENCE_SECONDS = 60
SECRET = secrets.token_urlsafe(32)


class Broken(Exception):
    """A promise that was not kept, or something that did not start."""


def expect(condition, what):
    if not condition:
        raise Broken(what)


def free_ports(count):
    """The first of so many free ports in a row."""
    while True:
        with contextlib.ExitStack() as stack:
            first = stack.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1]
            with contextlib.suppress(OSError, OverflowError):
                for port in range(first + 1, first + count):
                    stack.enter_context(socket.create_server(("127.0.0.1", port)))
                return first


@contextlib.contextmanager
def cluster(executable, algorithm=None):
    """What .curfew/dev.json says of two nodes, which are gone afterwards, and the file of their signing keys.

    They have SECRET, or keys of an algorithm.
    """
    with tempfile.TemporaryDirectory() as folder:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("CURFEW_")}
        environment |= {"HOME": folder, "TMPDIR": folder}
        keys = pathlib.Path(folder, "keys.json")
        if algorithm is None:
            environment["CURFEW_SIGNING_SECRET"] = SECRET
        else:
            subprocess.run(
                [executable, "keys", "generate", "--file", keys, "--algorithm", algorithm], check=True, env=environment,
                stdout=subprocess.DEVNULL)
            environment["CURFEW_SIGNING_KEYS"] = str(keys)
        log = pathlib.Path(folder, "dev.log")
        with log.open("wb") as output:
            child = subprocess.Popen(
                [executable, "dev", "--nodes", "2", "--port", str(free_ports(4)), "--demo-port", str(free_ports(1))], cwd=folder,
                env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            written = pathlib.Path(folder, ".curfew", "dev.json")
            deadline = time.monotonic() + PATIENCE_SECONDS
            while not written.exists():
                if child.poll() is not None or time.monotonic() > deadline:
                    raise Broken(f"curfew dev did not start:\n{log.read_text(errors='replace')}")
                time.sleep(0.02)
            yield json.loads(written.read_text()), keys
        finally:
            child.send_signal(signal.SIGTERM)
            try:
                child.wait(PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)


class Node:
    def __init__(self, node, key):
        self.public, self.admin, self.key = node["public"], node["admin"], key

    def issue(self, **body):
        answer = requests.post(f"{self.admin}/v1/issue", json=body, headers={"Authorization": f"Bearer {self.key}"}, timeout=10)
        expect(answer.status_code == 201, f"issue was answered {answer.status_code}: {answer.text}")
        return answer.json()

    def is_active(self, token):
        answer = requests.get(f"{self.public}/v1/validate", headers={"Authorization": f"Bearer {token}"}, timeout=10)
        expect(answer.status_code in (200, 401), f"validate was answered {answer.status_code}")
        return answer.status_code == 200

    def client(self, method="client_secret_basic", key=None):
        return OAuth2Session(
            "gateway", key or self.key, token_endpoint_auth_method=method, revocation_endpoint_auth_method=method,
            default_timeout=10)

    def introspect(self, token, **options):
        return self.client().introspect_token(f"{self.admin}/oauth2/introspect", token=token, **options)

    def revoke(self, token, **options):
        return self.client().revoke_token(f"{self.admin}/oauth2/revoke", token=token, **options)


def tokens(nodes, jwt_kit):
    issued = nodes[0].issue(userId="u_42", deviceId="phone", permissions=["docs:read"])
    claims = jwt.decode(
        issued["token"], SECRET, algorithms=["HS256"], audience="curfew", issuer="curfew",
        options={"require": ["iss", "aud", "sub", "iat", "exp"]})
    expect(claims["sub"] == "u_42" and claims["sid"] == issued["sessionId"], f"PyJWT read {claims}")
    header = jwt.get_unverified_header(issued["token"])
    expect(header["typ"] == "session+jwt" and header["alg"] == "HS256" and header["kid"], f"the header is {header}")
    try:
        jwt.decode(issued["token"], SECRET + "x", algorithms=["HS256"], audience="curfew", issuer="curfew")
        raise Broken("PyJWT took a token of another secret")
    except jwt.InvalidSignatureError:
        pass
    print("PyJWT verifies a token, by signature, issuer, audience and times")
    read = jose.decode(issued["token"], jwk.OctKey.import_key(SECRET), algorithms=["HS256"])
    expect(read.claims == claims, f"joserfc read {read.claims}")
    print("joserfc reads the same claims")
    by_jwt_kit(jwt_kit, nodes, issued, secret=SECRET)
    forged = jwt.encode(claims | {"sub": "u_43"}, SECRET + "x", algorithm="HS256", headers=header)
    expect(not nodes[1].is_active(forged), "a token that PyJWT signed with another secret is active")
    own = jwt.encode(claims, SECRET, algorithm="HS256", headers=header)
    expect(nodes[1].is_active(own), "the same claims, signed by PyJWT with the cluster's secret, are not active")
    print("what PyJWT signs is active with the cluster's secret, and with no other")


def by_jwt_kit(client, nodes, issued, **keys):
    """What JWTKit reads of a token, with these keys; and what it signs."""
    if client is None:
        return
    told = json.dumps({"token": issued["token"]} | keys)
    run = subprocess.run([client], input=told, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
    expect(run.returncode == 0, f"JWTKit refuses it: {run.stderr}")
    read = json.loads(run.stdout)
    expect(read["subject"] == "u_42" and read["session"] == issued["sessionId"], f"JWTKit read {read}")
    if read["signed"]:
        expect(nodes[1].is_active(read["signed"]), "what JWTKit signs is not active")
    bent = issued | {"token": issued["token"][:-9] + "AAAAAAAAA"}
    told = json.dumps({"token": bent["token"]} | keys)
    run = subprocess.run([client], input=told, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
    expect(run.returncode != 0, "JWTKit takes a token with another signature")
    print(f"JWTKit verifies it{' and signs another that is active' if read['signed'] else ''}")


def key_pairs(nodes, keys, algorithm, jwt_kit):
    """Tokens that are verified by what everybody can read."""
    issued = nodes[0].issue(userId="u_42", deviceId="phone", permissions=["docs:read"])
    address = f"{nodes[1].public}/.well-known/jwks.json"
    known = jwt.PyJWKClient(address).get_signing_key_from_jwt(issued["token"])
    claims = jwt.decode(issued["token"], known, algorithms=[algorithm], audience="curfew", issuer="curfew")
    expect(claims["sid"] == issued["sessionId"], f"PyJWT read {claims}")
    read = jose.decode(issued["token"], jwk.KeySet.import_key_set(requests.get(address, timeout=10).json()), algorithms=[algorithm])
    expect(read.claims == claims, f"joserfc read {read.claims}")
    print(f"PyJWT and joserfc verify {algorithm} with the published keys")
    header = jwt.get_unverified_header(issued["token"])
    entry = json.loads(keys.read_text())["keys"][0]
    signing = {"privateKey": entry["privateKey"]} if algorithm == "ES256" else {}
    by_jwt_kit(jwt_kit, nodes, issued, keySet=requests.get(address, timeout=10).text, **signing)
    private = entry["privateKey"]
    own = jwt.encode(claims, private, algorithm=algorithm, headers=header)
    expect(nodes[1].is_active(own), "the same claims, signed by PyJWT with the cluster's key, are not active")
    for name, key in [("public key", known.key.public_bytes_raw() if algorithm == "EdDSA" else None), ("secret", SECRET)]:
        if key is not None:
            forged = jwt.encode(claims, key, algorithm="HS256", headers=header | {"alg": "HS256"})
            expect(not nodes[1].is_active(forged), f"a token of a {name} and HS256 is active")
    print(f"what PyJWT signs with the {algorithm} key is active, and HS256 under that key's id is not")


def introspection(nodes):
    issued = nodes[0].issue(userId="u_42", kind="api", permissions=["docs:read", "docs:write"])
    said = nodes[1].introspect(issued["token"], token_type_hint="access_token").json()
    expect(said["active"] is True and said["sub"] == "u_42" and said["scope"] == "docs:read docs:write", f"introspection: {said}")
    expect(nodes[1].introspect(issued["refreshToken"], token_type_hint="refresh_token").json()["active"], "no refresh token")
    expect(nodes[1].introspect("nothing").json() == {"active": False}, "a token of nobody's is active")
    refused = nodes[0].client(key="wrong").introspect_token(f"{nodes[0].admin}/oauth2/introspect", token=issued["token"])
    expect(refused.status_code == 401 and refused.json()["error"] == "invalid_client", f"a wrong key: {refused.text}")
    print("Authlib introspects both kinds of token, with HTTP Basic")


def metadata(nodes):
    found = requests.get(f"{nodes[0].admin}/.well-known/oauth-authorization-server", timeout=10).json()
    server = AuthorizationServerMetadata(found)
    # Of RFC 8414 all but what is about tokens that are given by OAuth, and the issuer, which is no URL in `curfew dev`.
    for name in ["jwks_uri", "response_types_supported", "introspection_endpoint",
                 "introspection_endpoint_auth_methods_supported", "revocation_endpoint",
                 "revocation_endpoint_auth_methods_supported"]:
        if name.endswith(("_endpoint", "_uri")):
            expect(found[name].startswith(nodes[0].admin), f"{name} is {found[name]}")
        else:
            getattr(server, f"validate_{name}")()
    issued = nodes[0].issue(userId="u_42", kind="api")
    session = nodes[0].client()
    said = session.introspect_token(found["introspection_endpoint"], token=issued["token"]).json()
    expect(said["active"] is True, f"introspection by its metadata: {said}")
    expect(requests.get(found["jwks_uri"], timeout=10).status_code == 200, "no key set at jwks_uri")
    print("Authlib finds introspection, revocation and the key set by the metadata")


def revocation(nodes):
    for kind, hint in [("token", "access_token"), ("refreshToken", "refresh_token")]:
        for _ in range(20):
            issued = nodes[0].issue(userId="u_42", kind="api")
            answer = nodes[0].revoke(issued[kind], token_type_hint=hint)
            expect(answer.status_code == 200, f"revocation was answered {answer.status_code}: {answer.text}")
            for node in nodes:
                expect(not node.is_active(issued["token"]), f"a session is active after Authlib revoked its {hint}")
                expect(node.introspect(issued["refreshToken"]).json() == {"active": False}, "its refresh token is active")
    expect(nodes[0].revoke("nothing").status_code == 200, "a token of nobody's is an error")
    print("Authlib revokes by either token; no node answers active afterwards")


def main():
    executable = os.path.abspath(sys.argv[1])
    jwt_kit = os.path.abspath(sys.argv[2]) if len(sys.argv) > 2 else None
    with cluster(executable) as (dev, _):
        nodes = [Node(node, dev["apiKey"]) for node in dev["nodes"]]
        tokens(nodes, jwt_kit)
        introspection(nodes)
        metadata(nodes)
        revocation(nodes)
    for algorithm in ("EdDSA", "ES256"):
        with cluster(executable, algorithm) as (dev, keys):
            key_pairs([Node(node, dev["apiKey"]) for node in dev["nodes"]], keys, algorithm, jwt_kit)


if __name__ == "__main__":
    try:
        main()
    except Broken as broken:
        sys.exit(f"broken: {broken}")
