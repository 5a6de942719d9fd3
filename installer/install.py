"""What an installation consists of: functions, their valves, presets, and who may see them.

Every step may be repeated: functions are brought up to date, and presets that exist are left as they are, since
somebody may have changed them.
"""

import json
from pathlib import Path
from typing import Any

from installer.client import OpenWebUIClient
from installer.errors import InstallError

ROOT = Path(__file__).resolve().parent.parent
FUNCTIONS = ROOT / "dist" / "functions.json"
PRESETS = ROOT / "presets"
PIPE = "rightsize"
ROUTES = ("auto", "small", "medium", "large", "frontier", "local")
DEFAULT_PRESET = "rightsize-auto"
EVERYONE_MAY_READ = [{"principal_type": "user", "principal_id": "*", "permission": "read"}]


def parse_json(text: str, source: str) -> Any:
    """Parse JSON. Raises InstallError naming its source if it is none."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise InstallError(f"{source} cannot be read as JSON: {error}") from error


def read_json(path: Path) -> Any:
    """Read a JSON file. Raises InstallError naming the file if it cannot be read."""
    try:
        return parse_json(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise InstallError(f"{path} cannot be read: {error.strerror}") from error


def install_functions(client: OpenWebUIClient) -> list[str]:
    """Create or update the pipe and the guard and switch them on; returns what was done."""
    done = []
    installed = client.functions()
    for function in read_json(FUNCTIONS):
        function_id, wanted_global = function["id"], function["is_global"]
        form = {key: function[key] for key in ("id", "name", "content", "meta")}
        if function_id in installed:
            client.call("POST", f"/api/v1/functions/id/{function_id}/update", json=form)
            done.append(f"function {function['name']} updated")
        else:
            client.call("POST", "/api/v1/functions/create", json=form)
            done.append(f"function {function['name']} installed")
        now = client.functions()[function_id]
        if not now["is_active"]:
            client.call("POST", f"/api/v1/functions/id/{function_id}/toggle")
        if wanted_global and not now["is_global"]:
            client.call("POST", f"/api/v1/functions/id/{function_id}/toggle/global")
    return done


def set_valves(client: OpenWebUIClient, valves: dict[str, dict[str, Any]]) -> list[str]:
    """Set valves by function id, keeping those not named. Raises InstallError for one that is not accepted."""
    if not isinstance(valves, dict) or not all(isinstance(values, dict) for values in valves.values()):
        raise InstallError('The valves must be of the form {"rightsize": {"name of the valve": value}}.')
    done = []
    for function_id, values in valves.items():
        if not values:
            continue
        path = f"/api/v1/functions/id/{function_id}/valves/update"
        client.call("POST", path, json={**client.valves(function_id), **values})
        done.append(f"valves of {function_id}: {', '.join(values)}")
    return done


def install_presets(client: OpenWebUIClient) -> list[str]:
    """Import the presets that are not there yet and let everyone see them and the manifold's models."""
    done = []
    existing = client.workspace_models()
    for path in sorted(PRESETS.glob("*.json")):
        missing = [preset for preset in read_json(path) if preset["id"] not in existing]
        if missing:
            client.call("POST", "/api/v1/models/import", json={"models": missing})
            done += [f"preset {preset['name']} imported" for preset in missing]
    for route in ROUTES:
        model_id = f"rightsize.{route}"
        if model_id not in existing:
            # Which models a route may choose is still each user's own access: this only shows the route.
            form = {"id": model_id, "name": f"Rightsize {route.capitalize()}", "access_grants": EVERYONE_MAY_READ}
            client.call("POST", "/api/v1/models/model/access/update", json=form)
            done.append(f"model {form['name']} shown to everyone")
    client.call("GET", "/api/models", params={"refresh": "true"})
    return done


def put_presets_first(client: OpenWebUIClient) -> list[str]:
    """Make Auto the default model and list the presets first, unless an administrator has chosen otherwise."""
    config = client.call("GET", "/api/v1/configs/models")
    presets = [preset["id"] for path in PRESETS.glob("*.json") for preset in read_json(path)]
    presets.sort(key=lambda model_id: (model_id != DEFAULT_PRESET, model_id))
    done = []
    if not config.get("DEFAULT_MODELS"):
        config["DEFAULT_MODELS"] = DEFAULT_PRESET
        done.append("Auto is the default model")
    if not config.get("MODEL_ORDER_LIST"):
        config["MODEL_ORDER_LIST"] = presets
        done.append("presets are listed first")
    if done:
        client.call("POST", "/api/v1/configs/models", json=config)
    return done


def install(client: OpenWebUIClient, valves: dict[str, dict[str, Any]]) -> list[str]:
    """Install everything; returns a line for each thing done."""
    return [
        *install_functions(client),
        *set_valves(client, valves),
        *install_presets(client),
        *put_presets_first(client),
    ]
