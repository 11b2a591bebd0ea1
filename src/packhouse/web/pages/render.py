"""From a template to an answer that a browser may do nothing else with: no script, no frame, no trace."""

import hashlib
from base64 import b64encode
from functools import cache
from pathlib import Path

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

TEMPLATES = Path(__file__).with_name("templates")

HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    # not `no-referrer`: browsers then say `Origin: null` of our own forms too (Fetch, 3.1)
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def page(template: str, status: int = 200, form_targets: str = "'self'", **values: object) -> HTMLResponse:
    """`form_targets` is where its forms may lead, redirects included, as CSP writes it."""
    policy = (
        f"default-src 'none'; style-src '{_style_hash()}'; form-action {form_targets}; "
        "base-uri 'none'; frame-ancestors 'none'"
    )
    text = _environment().get_template(f"{template}.html").render(**values)
    sendable = text.encode("utf-8", "replace")  # a form of an odd `charset` brings lone surrogates
    return HTMLResponse(sendable, status, {**HEADERS, "Content-Security-Policy": policy})


@cache
def _environment() -> Environment:
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
    environment.globals["style"] = Markup(_style())  # noqa: S704  # our own file
    return environment


@cache
def _style() -> str:
    return (TEMPLATES / "style.css").read_text()


@cache
def _style_hash() -> str:
    return "sha256-" + b64encode(hashlib.sha256(_style().encode()).digest()).decode()
