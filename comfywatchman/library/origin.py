"""Where a local file came from: what its hub's record said when it was fetched.

    RemoteFile ──origin_of──▶ Origin(hub, model_id, version_id, file_id, …)
    Facts      ──origin_in──▶    where no hub's record can be had

The ids are the hub's own words: numbers on CivitAI; on Hugging Face the repository, the commit and the path
in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from ..air import HOMES, CivitaiLink, HubLink, HuggingFaceLink, parse_link
from ..catalog import RemoteFile
from ..facts import Facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The release a file belongs to. `page` has no query; `fetched` is seconds since 1970.

    None and empty mean that it is not known. The weights are what the author recommends for a LoRA.
    """

    hub: str
    model_id: str | None = None
    version_id: str | None = None
    file_id: str | None = None
    page: str | None = None
    air: str | None = None
    model_name: str | None = None
    version_name: str | None = None
    base_model: str | None = None
    trigger_words: tuple[str, ...] = ()
    licence: str | None = None
    weight: float | None = None
    weight_min: float | None = None
    weight_max: float | None = None
    fetched: float | None = None

    @property
    def facts(self) -> Facts:
        """What it says of the file, put as a sidecar's statements are."""
        return Facts(
            model_name=self.model_name,
            version_name=self.version_name,
            base_model=self.base_model,
            licence=self.licence,
            trigger_words=self.trigger_words,
            weight=self.weight,
            weight_min=self.weight_min,
            weight_max=self.weight_max,
            page=self.page,
        )


def origin_of(file: RemoteFile, *, fetched: float | None = None) -> Origin:
    """The origin of what is fetched from a hub at a time, by its record."""
    model_id, version_id, file_id = _ids(file)
    return Origin(
        hub=file.hub,
        model_id=model_id,
        version_id=version_id,
        file_id=file_id,
        page=bare_page(file.page),
        air=str(file.air) if file.air else None,
        model_name=file.model_name,
        version_name=file.version_name,
        base_model=file.base_model,
        trigger_words=file.trigger_words,
        licence=file.licence,
        fetched=fetched,
    )


def origin_in(facts: Facts) -> Origin:
    """Where a sidecar says its file came from: the ids in those are CivitAI's."""
    return Origin(
        hub="civitai",
        model_id=str(facts.model_id) if facts.model_id else None,
        version_id=str(facts.version_id) if facts.version_id else None,
        page=bare_page(facts.page),
        model_name=facts.model_name,
        version_name=facts.version_name,
        base_model=facts.base_model,
        trigger_words=facts.trigger_words,
        licence=facts.licence,
        weight=facts.weight,
        weight_min=facts.weight_min,
        weight_max=facts.weight_max,
    )


def bare_page(page: str | None) -> str | None:
    """An address for people without query and fragment, in which secrets may stand."""
    try:
        parts = urlsplit(page or "")
    except ValueError:
        return None
    return parts._replace(query="", fragment="", netloc=parts.netloc.rpartition("@")[2]).geturl() or None


def _ids(file: RemoteFile) -> tuple[str | None, str | None, str | None]:
    """Model, version and file in the hub's own words."""
    page, url = _link(file.hub, file.page), _link(file.hub, file.url)
    match page or url:
        case CivitaiLink() as link:
            other = url if isinstance(url, CivitaiLink) else link
            version = link.version_id or other.version_id
            return _text(link.model_id or other.model_id), _text(version), file.id or _text(other.file_id)
        case HuggingFaceLink() as link:
            return link.repo, file.revision or link.revision, link.path
        case None:
            return None, None, file.id


def _link(hub: str, address: str | None) -> HubLink | None:
    """What an address of a hub points at, be it a mirror's or a stand-in's."""
    try:
        parts = urlsplit(address or "")
    except ValueError:
        return None
    return parse_link(parts._replace(scheme="https", netloc=HOMES.get(hub, "")).geturl())


def _text(number: int | None) -> str | None:
    return str(number) if number is not None else None
