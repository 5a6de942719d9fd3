"""The part of Open WebUI's HTTP API that an installation needs."""

import re
from collections.abc import Callable
from typing import Any

import httpx
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from installer.errors import InstallError


def is_address(url: str) -> bool:
    """Whether a URL is one of a web server."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return False
    return parsed.scheme in ("http", "https") and bool(re.fullmatch(r"[\w.:-]+", parsed.host))


class OpenWebUIClient:
    """An administrator's connection to one Open WebUI. Making one raises InstallError if `url` is no address."""

    def __init__(self, url: str) -> None:
        if not is_address(url):
            raise InstallError(f"'{url}' is not an address: give one such as http://127.0.0.1:8080.")
        self._http = httpx.Client(base_url=url.rstrip("/"), timeout=60.0, trust_env=False)
        self.url = url

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def call(self, method: str, path: str, **options: Any) -> Any:
        """Call the API and return its JSON. Raises InstallError with the server's own words."""
        try:
            response = self._http.request(method, path, **options)
        except httpx.HTTPError as error:
            raise InstallError(
                f"{self.url} does not answer ({type(error).__name__}): is Open WebUI running?"
            ) from error
        if response.is_error:
            try:
                detail = response.json().get("detail", response.text)
            except ValueError:
                detail = response.text
            raise InstallError(f"{method} {path} was refused ({response.status_code}): {str(detail)[:300]}")
        try:
            return response.json()
        except ValueError as error:
            raise InstallError(f"{self.url} answers, but not as Open WebUI does: check the address.") from error

    def wait_until_up(self, seconds: float, still_starting: Callable[[], bool] = lambda: True) -> None:
        """Wait for the server to answer. Raises InstallError when it does not in time, or is no longer starting."""

        @retry(
            retry=retry_if_exception_type(httpx.HTTPError),
            stop=stop_after_delay(seconds),
            wait=wait_fixed(0.5),
            reraise=True,
        )
        def ask() -> None:
            if not still_starting():
                raise InstallError("Open WebUI stopped while it was starting.")
            self._http.get("/health").raise_for_status()

        try:
            ask()
        except httpx.HTTPError as error:
            raise InstallError(f"{self.url} did not come up within {seconds:.0f} seconds.") from error

    def sign_in(self, email: str, password: str) -> None:
        """Sign in as administrator, creating the account on a fresh server.

        An Open WebUI with its login switched off takes an empty email and password.
        """
        config = self.call("GET", "/api/config")
        with_login = config.get("features", {}).get("auth", True)
        if with_login and not email:
            raise InstallError("This Open WebUI has a login: give the email and password of an administrator.")
        if with_login and config.get("onboarding"):
            account = {"name": "Administrator", "email": email, "password": password}
            session = self.call("POST", "/api/v1/auths/signup", json=account)
        else:
            session = self.call("POST", "/api/v1/auths/signin", json={"email": email, "password": password})
        self.authorize(session["token"])
        if session.get("role") != "admin":
            raise InstallError(f"{email} is not an administrator of this Open WebUI.")

    def authorize(self, token: str) -> None:
        """Use a session's token, or an API key, from now on."""
        self._http.headers["Authorization"] = f"Bearer {token}"

    def functions(self) -> dict[str, dict[str, Any]]:
        """The installed functions by id."""
        return {function["id"]: function for function in self.call("GET", "/api/v1/functions/")}

    def valves(self, function_id: str) -> dict[str, Any]:
        """The saved valves of a function; empty while they are as they came."""
        return dict(self.call("GET", f"/api/v1/functions/id/{function_id}/valves") or {})

    def workspace_models(self) -> set[str]:
        """The ids of all models that have an entry of their own: presets, and base models with settings."""
        presets = self.call("GET", "/api/v1/models/all")
        return {model["id"] for model in [*presets, *self.call("GET", "/api/v1/models/base")]}
