#!/usr/bin/env python3
"""Drives the page of `curfew dev` in a headless Chromium: what one device does, the other shows.

    Tests/Browser/demo.py [EXECUTABLE]      .build/debug/curfew without one

Starts `curfew dev` with two nodes, and chromedriver, which it speaks the WebDriver protocol with (W3C, plain HTTP; nothing
but Python's own library is needed). Clicks are the browser's own; the time from a click to what another pane shows of it is
taken in the page, by its clock. It has to be at most CURFEW_BROWSER_SECONDS, 1 unless set: that is what the page is there to
show, and some thirty times what it takes. Prints a line for each promise; exits 1 at the first that is broken, with what
the page shows. Whatever happens, everything that was started has ended when it exits.
"""

import contextlib
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

LIMIT_SECONDS = float(os.environ.get("CURFEW_BROWSER_SECONDS", "1"))
# For what is no promise about time: start, page load, end.
PATIENCE_SECONDS = 60
ROOT = pathlib.Path(__file__).resolve().parents[2]
# Never through a proxy that the environment names.
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


class Broken(Exception):
    """A promise that was not kept, or something that did not start."""


def eventually(what, condition, seconds=PATIENCE_SECONDS):
    """The first value of `condition` that counts as true."""
    deadline = time.monotonic() + seconds
    while True:
        if value := condition():
            return value
        if time.monotonic() > deadline:
            raise Broken(f"not within {seconds} s: {what}")
        time.sleep(0.02)


@contextlib.contextmanager
def process(words, folder, log):
    """A process of its own group, and with it all that it starts; gone afterwards."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CURFEW_")}
    environment |= {"HOME": str(folder), "TMPDIR": str(folder)}
    with open(log, "wb") as output:
        child = subprocess.Popen(
            words, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=environment,
            start_new_session=True)
    try:
        yield child
    finally:
        if child.poll() is None:
            child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(20)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def free_ports(count):
    """The first of so many in a row, below those that systems give to clients."""
    for _ in range(200):
        first = random.randrange(20_000, 32_000)
        with contextlib.ExitStack() as stack:
            with contextlib.suppress(OSError):
                for port in range(first, first + count):
                    stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
                return first
    raise Broken(f"no {count} free ports in a row")


class Browser:
    """One WebDriver session."""

    def __init__(self, driver_url, folder):
        options = {
            "binary": shutil.which("chromium"),
            # Its sandbox doesn't run as root, and /dev/shm is small in containers.
            "args": ["--headless=new", "--disable-dev-shm-usage", "--no-first-run", f"--user-data-dir={folder}/profile"]
            + (["--no-sandbox"] if os.geteuid() == 0 else []),
        }
        self.base = driver_url
        capabilities = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        answer = self.call("POST", "/session", {"capabilities": {"alwaysMatch": capabilities}})
        self.base += "/session/" + answer["sessionId"]
        self.version = answer["capabilities"]["browserVersion"]
        self.call("POST", "/timeouts", {"script": 30_000})

    def call(self, method, path, body=None):
        request = urllib.request.Request(
            self.base + path, method=method, data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"})
        try:
            with DIRECT.open(request, timeout=PATIENCE_SECONDS) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            value = json.load(error)["value"]
            raise Broken(f"{method} {path}: {value['error']}: {value['message'].splitlines()[0]}") from None

    def run(self, script, *arguments, waits=False):
        """A function's body in the page. With `waits` it ends with a call of its last argument."""
        path = "/execute/async" if waits else "/execute/sync"
        return self.call("POST", path, {"script": script, "args": list(arguments)})

    def click(self, selector):
        element = self.call("POST", "/element", {"using": "css selector", "value": selector})[ELEMENT]
        self.call("POST", f"/element/{element}/click", {})

    def pane(self, name):
        """What a pane shows, as a person reads it."""
        return self.run(
            """const pane = document.getElementById(arguments[0]);
            const text = (name) => pane.querySelector('.' + name).innerText;
            const shown = (button) => button.checkVisibility();
            return { is: pane.dataset.state ?? null, state: text('state'), node: text('node'), address: text('address'),
                permissions: text('permissions'), event: text('event'), trouble: text('trouble'),
                buttons: [...pane.querySelectorAll('button')].filter(shown).map((button) => button.innerText) };""",
            name)

    def expect(self, what, name, seconds=PATIENCE_SECONDS, **wanted):
        """Waits until a pane shows it."""
        seen = {}

        def is_there():
            seen.update(self.pane(name))
            return all(text in seen[part] if isinstance(text, str) else text(seen[part]) for part, text in wanted.items())

        try:
            eventually(what, is_there, seconds)
        except Broken as broken:
            raise Broken(f"{broken}\n  {name} shows {seen}") from None

    def milliseconds_until(self, button, other, part, text):
        """Clicks, and takes the time until `text` stands in the other pane; None where it doesn't come."""
        self.run(
            """const [id, part, text] = arguments;
            const element = document.getElementById(id).querySelector('.' + part);
            window.took = new Promise((resolve) => {
                let clicked = null;
                addEventListener('click', () => { clicked = performance.now(); }, { capture: true, once: true });
                const look = () => {
                    if (clicked === null || !element.innerText.includes(text)) return;
                    observer.disconnect();
                    resolve(performance.now() - clicked);
                };
                const observer = new MutationObserver(look);
                observer.observe(element, { childList: true, characterData: true, subtree: true });
                setTimeout(() => { observer.disconnect(); resolve(null); }, 20_000);
            });""",
            other, part, text)
        self.click(button)
        return self.run("window.took.then(arguments[0]);", waits=True)


def button(pane, words):
    return f"#{pane} button[{words}]"


HERE, EVERYWHERE = 'data-scope="current"', 'data-scope="all"'
PERMISSION, AGAIN = 'data-application="permissions"', 'data-application="sign-in"'


def kept(line):
    print(f"  ok  {line}", flush=True)


def in_time(browser, what, words, other, part, text):
    took = browser.milliseconds_until(words, other, part, text)
    if took is None or took > LIMIT_SECONDS * 1000:
        time_taken = "never within 20 s" if took is None else f"after {took:.0f} ms"
        raise Broken(f"{what}: {time_taken}, and {LIMIT_SECONDS:g} s are allowed\n  {other} shows {browser.pane(other)}")
    kept(f"{what}: after {took:.0f} ms")


def play(browser, dev):
    browser.call("POST", "/url", {"url": dev["demo"]})
    for pane, node, urls in zip(["phone", "laptop"], ["node1", "node2"], dev["nodes"]):
        address = urls["public"].removeprefix("http://")
        browser.expect(f"{pane} is signed in on {node}", pane, state="signed in", node=node, address=address)
        browser.expect("its permissions", pane, permissions=lambda text: text == "docs:read")
    kept(f"both are signed in, on two nodes, in Chromium {browser.version}")

    in_time(browser, "a permission changed on the phone is on the laptop", button("phone", PERMISSION),
            "laptop", "permissions", "docs:write")
    browser.expect("the phone has it too", "phone", permissions="docs:write", event="permissions.changed")

    in_time(browser, "a logout everywhere on the phone ends the laptop's session", button("phone", EVERYWHERE),
            "laptop", "state", "signed out: logout")
    browser.expect("the phone is signed out too", "phone", state="signed out: logout", event="session.revoked")
    browser.expect("the laptop says what came", "laptop", event="session.revoked",
                   buttons=lambda buttons: buttons == ["Sign in again"])

    for pane in ["laptop", "phone"]:
        browser.click(button(pane, AGAIN))
        browser.expect(f"{pane} signs in again", pane, state="signed in", permissions="docs:write")
    kept("both sign in again, with the permissions of now")

    # That a change reaches the laptop afterwards shows that its stream lived on, and had nothing to say of the logout.
    in_time(browser, "a logout on the laptop is its own", button("laptop", HERE), "laptop", "state", "signed out: logout")
    browser.expect("the phone stays signed in", "phone", state="signed in")
    browser.click(button("phone", PERMISSION))
    browser.expect("the phone hears on", "phone", permissions=lambda text: text == "docs:read", state="signed in")
    kept("the phone stayed signed in, and its stream open")

    browser.click(button("laptop", AGAIN))
    browser.expect("laptop signs in again", "laptop", state="signed in")
    os.kill(dev["nodes"][1]["pid"], signal.SIGKILL)
    browser.expect("an outage is no logout", "laptop", state="not known (node_unavailable)")
    browser.expect("the phone has its own", "phone", state="signed in")
    kept("with node2 killed, the laptop says that it does not know, and the phone stays signed in")


def complaints(browser):
    """What the page made the console say: a refusal of its own policy, or an error in its script."""
    entries = browser.call("POST", "/se/log", {"type": "browser"})
    return [entry["message"] for entry in entries if "Content Security Policy" in entry["message"]
            or entry["source"] == "javascript"]


def main():
    executable = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / ".build/debug/curfew").resolve()
    for sent in [signal.SIGTERM, signal.SIGHUP]:
        signal.signal(sent, lambda number, _: sys.exit(128 + number))
    with tempfile.TemporaryDirectory(prefix="curfew-browser-", ignore_cleanup_errors=True) as name:
        folder = pathlib.Path(name)
        words = [executable, "dev", "--nodes", "2", "--port", str(free_ports(5))]
        with process(words, folder, folder / "dev.log") as dev:
            file = folder / ".curfew/dev.json"
            eventually("curfew dev is up", lambda: file.exists() or dev.poll() is not None)
            if dev.poll() is not None:
                raise Broken("curfew dev did not start: " + (folder / "dev.log").read_text())
            with process(["chromedriver", "--port=0"], folder, folder / "driver.log") as driver:
                said = folder / "driver.log"

                def port():
                    if driver.poll() is not None:
                        raise Broken("chromedriver did not start: " + said.read_text())
                    started = [line for line in said.read_text().splitlines() if "started successfully on port" in line]
                    return started and started[0].rstrip(".").split()[-1]

                browser = Browser(f"http://127.0.0.1:{eventually('chromedriver is up', port)}", folder)
                try:
                    play(browser, json.loads(file.read_text()))
                    if found := complaints(browser):
                        raise Broken("the console has complaints: " + "; ".join(found))
                    kept("nothing that the page's own policy refuses, and no error in its script")
                    dev.terminate()
                    eventually("curfew dev ends while a page listens", lambda: dev.poll() is not None)
                    if dev.returncode != 0:
                        raise Broken(f"curfew dev ended with {dev.returncode}: " + (folder / "dev.log").read_text())
                    kept("curfew dev ends while the page still listens")
                finally:
                    browser.call("DELETE", "")


if __name__ == "__main__":
    try:
        main()
    except Broken as broken:
        sys.exit(f"BROKEN  {broken}")
