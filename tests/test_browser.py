"""Pages in a browser: Chromium, where it is installed, shows them without asking anyone."""

import html
import json
import re
import shutil
import subprocess

import pytest

import symgrad as sg

pytest.importorskip("math_core", reason="HTML needs math-core: pip install 'symgrad[html]'")
BROWSER = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)
pytestmark = pytest.mark.skipif(
    BROWSER is None, reason="no browser: apt-get install chromium (Debian)"
)
NET = sg.Network(3, [sg.Dense(2, activation="sigmoid"), sg.Dense(2, activation="softmax")])
PAGES = {
    "rows": lambda: sg.derive(sg.cross_entropy(NET)),
    "scalars": lambda: sg.derive(sg.mse(NET.scalars())),
    "samples": lambda: sg.derive(sg.mse(NET), profile="nielsen"),
    "bold": lambda: sg.derive(sg.mse(NET), profile="goodfellow"),
    "full": lambda: sg.derive(sg.cross_entropy(NET), detail="full"),
}


def shown(page, folder, *options):
    """Load a page; returns the document after loading, and the network's log."""
    log = folder / "net.json"
    command = [
        *(BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}/user"),
        *("--disable-background-networking", "--no-first-run", f"--log-net-log={log}"),
        *options,
        page.as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout, log.read_text(encoding="utf-8", errors="replace")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_asks_nobody_and_shows_no_latex(name, tmp_path):
    page = PAGES[name]().save(tmp_path / "page.html")
    document, log = shown(page, tmp_path, "--dump-dom")
    asked = set(re.findall(r'"url":"([a-z]+)://([^/"]*)', log))
    # The browser's own pages and updates are none of the page's business.
    assert not {
        host for scheme, host in asked if scheme in ("http", "https") and _is_of(host, page)
    }
    assert "<script" not in document
    seen = re.sub(
        r"<annotation.*?</annotation>|<style.*?</style>|<head.*?</head>", "", document, flags=re.S
    )
    text = html.unescape(re.sub(r"<[^>]*>", "", seen))
    assert "\\" not in text
    assert "$" not in text
    assert "Backward pass" in text
    assert document.count("<math") > 10


def _is_of(host, page):
    """Tell whether a page names a host."""
    return host and host in re.sub(r"base64,[^)]*", "", page.read_text(encoding="utf-8"))


@pytest.mark.parametrize("width", [400, 1000])
def test_a_page_is_drawn_narrow_and_wide(width, tmp_path):
    page = PAGES["rows"]().save(tmp_path / "page.html")
    picture = tmp_path / "page.png"
    shown(page, tmp_path, f"--screenshot={picture}", f"--window-size={width},1200")
    assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert picture.stat().st_size > 20_000  # there is something on it


def test_the_log_would_show_a_request(tmp_path):
    page = tmp_path / "page.html"
    page.write_text('<img src="http://symgrad.invalid/x.png">', encoding="utf-8")
    _, log = shown(page, tmp_path, "--dump-dom")
    assert "symgrad.invalid" in log
    assert json.loads(log if log.rstrip().endswith("}") else "{}") is not None
