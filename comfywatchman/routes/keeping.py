"""`settings`, `tokens`, `checkpoint`: what the user keeps here, as far as a page may touch it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..catalog import Json
from ..decode import Value
from ..errors import InvalidSettings
from ..house import HUBS
from ..settings import Settings, Shown, change_settings
from .desk import Desk
from .errors import InvalidRequest, SettingGuarded
from .events import CHECKPOINT, SETTINGS
from .places import Places, label_of
from .serving import Call

if TYPE_CHECKING:
    from ..library.index import Choice

_TARGETS: Final = "targets"
_CERTAIN: Final = "fetch_certain"


def show_settings(desk: Desk, _call: Call) -> dict[str, Json]:
    """Every setting with its value, and where it comes from."""
    settings = desk.house.settings()
    places = desk.places()
    defaults = {shown.key: shown for shown in Settings(home=settings.home).show()}
    return {"settings": [_setting(shown, defaults[shown.key], places) for shown in settings.show()]}


def write_settings(desk: Desk, call: Call) -> dict[str, Json]:
    """Change settings; those that guard security only the file and the command line may change.

    A consent once given may be taken back here; it is given only with the plan that it was asked for.
    """
    with desk.writing:
        shown = {one.key: one for one in desk.house.settings().show()}
        for key, value in call.body.items():
            if key in shown and shown[key].guard and not (key == _CERTAIN and value is not True):
                raise SettingGuarded(f"{key}: this setting guards security, so no page may change it")
        changes = dict(call.body)
        if changes.get(_TARGETS) is not None:
            changes[_TARGETS] = _read_targets(changes[_TARGETS], desk.places())
        change_settings(desk.house.home, changes)
    desk.look_again()
    desk.send(SETTINGS, {})
    return show_settings(desk, call)


def _setting(shown: Shown, default: Shown, places: Places) -> dict[str, Json]:
    return {
        "key": shown.key,
        "value": _veiled(shown, places),
        "default": _veiled(default, places),
        "origin": shown.origin.value,
        "kind": shown.kind,
        "choices": list(shown.choices) or None,
        "help": shown.help,
        "writable": not shown.guard,
    }


def _veiled(shown: Shown, places: Places) -> Json:
    """The value without whole paths: roots by their id, others by their end."""
    value = shown.value
    if shown.key == _TARGETS and isinstance(value, dict):
        return {folder: places.id_of(folder, str(path)) for folder, path in value.items()}
    if shown.kind == "path" and isinstance(value, str):
        return label_of(Path(value))
    if shown.key == "extra_model_paths" and isinstance(value, list):
        return [label_of(Path(str(path))) for path in value]
    return value


def _read_targets(value: Json, places: Places) -> Json:
    """The paths of the roots that a page chose by their ids, folder by folder."""
    return {folder: places.path_of(id_.text(), folder) for folder, id_ in Value(value).entries()}


# ── the active checkpoint ──


def show_checkpoint(desk: Desk, _call: Call) -> dict[str, Json]:
    """`comfywatchman.checkpoint/1`: the checkpoint that is active for all nodes of that kind."""
    return _checkpoint(desk.house.watchman(asks=False).active_checkpoint)


def write_checkpoint(desk: Desk, call: Call) -> dict[str, Json]:
    """Make a checkpoint the active one, by a local name or a link."""
    name = Value(call.body)["name"].text().strip()
    if not name:
        raise InvalidRequest("$.name: expected a name or a link")
    choice = desk.house.watchman(asks=False).activate_checkpoint(name)
    desk.send(CHECKPOINT, {"name": choice.value, "revision": choice.revision})
    return _checkpoint(choice)


def _checkpoint(choice: Choice | None) -> dict[str, Json]:
    return {
        "schema": "comfywatchman.checkpoint/1",
        "name": choice.value if choice else None,
        "revision": choice.revision if choice else 0,
    }


# ── tokens ──


def write_token(desk: Desk, call: Call) -> dict[str, Json]:
    """Keep a hub's token; it never comes back."""
    with desk.writing:
        desk.house.tokens.set(_hub(call), Value(call.body)["token"].text())
    desk.send(SETTINGS, {})
    return _token(desk, call)


def test_token(desk: Desk, call: Call) -> dict[str, Json]:
    """Ask the hub whose token it is."""
    name = _hub(call)
    return {"hub": name, "account": desk.house.hub(name).whoami()}


def remove_token(desk: Desk, call: Call) -> dict[str, Json]:
    """Forget a hub's token; one from the environment or another program stays."""
    with desk.writing:
        desk.house.tokens.remove(_hub(call))
    desk.send(SETTINGS, {})
    return _token(desk, call)


def _token(desk: Desk, call: Call) -> dict[str, Json]:
    kept = desk.house.tokens.get(_hub(call))
    return {"hub": _hub(call), "has_token": kept is not None, "where": kept.place if kept else None}


def _hub(call: Call) -> str:
    name = call.path["hub"]
    if name not in HUBS:
        raise InvalidSettings(f"hub {name[:80]!r}: unknown", hint=f"There are {', '.join(HUBS)}.")
    return name
