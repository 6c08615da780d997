"""What every hub must show. A subclass gives a `stand`: the hub, a server behind it, and what to expect."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hubs.hubapps import TOKEN
from hubs.hubserver import HTML, Rush, Said, Server, down, says

from comfywatchman.air import CivitaiLink, HubLink, HuggingFaceLink
from comfywatchman.catalog import hub_title
from comfywatchman.digest import Digest
from comfywatchman.errors import HubError, HubUnavailable, LoginRequired, NotFound
from comfywatchman.hubs.answers import Answers
from comfywatchman.hubs.base import Hub, SearchQuery
from comfywatchman.resolution import Evidence
from comfywatchman.workflow.references import Reference

Make = Callable[[str, str | None, Answers | None], Hub]


def reference(name: str, folder: str = "loras", **more: object) -> Reference:
    """A reference of some node."""
    made = Reference(node_id="1", node_type="LoraLoader", input_name="lora_name", folder=folder, name=name)
    return replace(made, **more)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Stand:
    """A hub with a server behind it that has one file, reachable in every way."""

    server: Server
    make: Make  # endpoint, token, answers
    name: str  # the file's
    folder: str
    sha256: str
    size: int
    link: HubLink  # to just this file
    url: str  # the same, as it stands in a workflow
    absent: HubLink
    foreign: HubLink
    text: str  # what a person types to browse

    def hub(self, token: str | None = None, answers: Answers | None = None) -> Hub:
        return self.make(self.server.url, token, answers)


class HubContract:
    """The behaviours; `most_requests` is what looking for one name may cost."""

    most_requests = 2

    def test_open(self, stand: Stand) -> None:
        """A link opens to the file it means, with name, size, SHA-256 and a URL of the hub's own."""
        file = stand.hub().open(stand.link)[0]

        assert file.name == stand.name
        assert file.size == stand.size
        assert file.digest("sha256") == Digest.sha256(stand.sha256)
        assert file.hub == stand.hub().name
        assert stand.hub().owns(file.url)

    def test_record(self, stand: Stand) -> None:
        """The record of a file's release is CivitAI's, with its id, or there is none that programs keep."""
        hub = stand.hub()
        file = hub.open(stand.link)[0]
        record = hub.record(file)
        assert isinstance(record, dict) if hub.name == "civitai" else record is None
        assert hub.record(replace(file, page=None, url="https://example.com/m.safetensors")) is None

    @pytest.mark.parametrize("kind", ["absent", "foreign"])
    def test_open_absent(self, stand: Stand, kind: str) -> None:
        """A link to what is not there, or to another hub, is NotFound and names the hub, its own way."""
        with pytest.raises(NotFound) as caught:
            stand.hub().open(getattr(stand, kind))
        assert caught.value.hub == stand.hub().name
        assert caught.value.message.startswith(f"{hub_title(stand.hub().name)}: ")

    def test_find_by_link(self, stand: Stand) -> None:
        """An embedded URL is evidence by itself, and a digest that agrees with the record is a better one."""
        plain = reference("other.safetensors", stand.folder, url=stand.url)
        agreed = replace(plain, digest=Digest.sha256(stand.sha256))

        first, second = stand.hub().find([plain, agreed])

        assert [c.evidence for c in _candidates(first)] == [Evidence.URL]
        assert [c.evidence for c in _candidates(second)] == [Evidence.DIGEST]

    def test_find_contradiction(self, stand: Stand) -> None:
        """A file whose published digest is not the one the workflow names is no candidate, by URL or name."""
        other = Digest.sha256("0" * 64)
        assert stand.hub().find([reference(stand.name, stand.folder, url=stand.url, digest=other)]) == [()]

    @pytest.mark.parametrize("change", [str, str.upper, lambda name: f"sub/{name}"])
    def test_find_by_name(self, stand: Stand, change: Callable[[str], str]) -> None:
        """A file is found by its name in any case and below any folder."""
        (answer,) = stand.hub().find([reference(change(stand.name), stand.folder)])

        assert [(c.file.name, c.evidence) for c in _candidates(answer)] == [(stand.name, Evidence.NAME)]

    def test_find_name_with_digest(self, stand: Stand) -> None:
        """A digest equal to the record's is the best evidence, whichever way the file was found."""
        (answer,) = stand.hub().find(
            [reference(stand.name, stand.folder, digest=Digest.sha256(stand.sha256))]
        )
        assert [c.evidence for c in _candidates(answer)] == [Evidence.DIGEST]

    def test_find_nothing(self, stand: Stand) -> None:
        """What the hub does not have has no candidates and no fault; a dead link is no fault either."""
        absent = reference("zzz_nowhere.safetensors", stand.folder, url=str(stand.absent))
        assert stand.hub().find([absent, reference("zzz_nowhere.safetensors")]) == [(), ()]
        assert stand.hub().find([]) == []

    def test_find_order(self, stand: Stand) -> None:
        """There is one answer a reference, in the references' order."""
        answers = stand.hub().find(
            [
                reference("zzz_nowhere.safetensors"),
                reference(stand.name, stand.folder),
                reference("zzz_none.pt"),
            ]
        )
        assert [bool(answer) for answer in answers] == [False, True, False]

    def test_find_cost(self, stand: Stand) -> None:
        """Twenty references to one name cost what one costs."""
        wanted = reference(stand.name, stand.folder)
        stand.hub().find([wanted])
        once = len(stand.server.asked)
        stand.hub().find([replace(wanted, node_id=str(n)) for n in range(20)])

        assert once <= self.most_requests
        assert len(stand.server.asked) == 2 * once

    def test_at_most_four_at_once(self, stand: Stand) -> None:
        """However much is looked for, the hub gets at most four questions at a time."""
        rush = stand.server.app = Rush(stand.server.app)
        links = [reference("a.pt", url=stand.url.replace("main", f"b{n}")) for n in range(8)]
        stand.hub().find([*links, *(reference(f"{stand.text}{n} x.safetensors") for n in range(12))])
        assert 1 < rush.most <= 4

    def test_whoami_without_a_name(self, stand: Stand) -> None:
        """An account that the hub cannot name is nobody's."""
        stand.server.app = lambda _asked: says({})
        with pytest.raises(LoginRequired):
            stand.hub(TOKEN).whoami()

    def test_answers_are_kept(self, stand: Stand, tmp_path: Path) -> None:
        """A second look asks nothing; one with a token does, since it may see more."""
        wanted = [
            reference(stand.name, stand.folder),
            reference("zzz_nowhere.safetensors"),
            reference("a.pt", url=stand.url),
            reference("b.pt", digest=Digest.sha256(stand.sha256)),
            reference("c.pt", digest=Digest.sha256("0" * 64)),
        ]
        with Answers(tmp_path / "answers.sqlite3") as answers:
            first = stand.hub(answers=answers).find(wanted)
            asked = len(stand.server.asked)

            assert stand.hub(answers=answers).find(wanted) == first
            assert len(stand.server.asked) == asked
            stand.hub(TOKEN, answers).find(wanted)
            assert len(stand.server.asked) > asked

    def test_faults_are_not_kept(self, stand: Stand, tmp_path: Path) -> None:
        """An overloaded hub is asked again next time, not remembered as one that has nothing."""
        app, stand.server.app = stand.server.app, lambda _asked: says({"error": "overloaded"}, 503)
        wanted = [reference(stand.name, stand.folder)]
        with Answers(tmp_path / "answers.sqlite3") as answers:
            assert isinstance(stand.hub(answers=answers).find(wanted)[0], HubUnavailable)
            stand.server.app = app
            assert _candidates(stand.hub(answers=answers).find(wanted)[0])

    def test_identify_unknown(self, stand: Stand) -> None:
        """A digest nobody has identifies nothing."""
        assert stand.hub().identify(Digest.sha256("0" * 64)) == ()

    def test_search(self, stand: Stand) -> None:
        """Browsing gives works with a page to look at; a limit is kept."""
        models = stand.hub().search(SearchQuery(text=stand.text))

        assert models
        assert all(m.hub == stand.hub().name and m.page.startswith(stand.server.url) for m in models)
        assert len(stand.hub().search(SearchQuery(text=stand.text, limit=1))) == 1

    def test_hub_is_down(self, stand: Stand) -> None:
        """With nobody there, every reference learns so, whatever it asked for."""
        hub = stand.make(down().url, None, None)
        answers = hub.find(
            [reference(f"m{n}.safetensors", url=stand.url if n % 2 else None) for n in range(9)]
        )

        assert [type(a).__mro__[1] for a in answers] == [HubUnavailable] * 9
        assert all(str(answer).startswith(f"{hub_title(hub.name)}: ") for answer in answers)

    def test_offline(self, stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
        """A machine without network says so, in words, and soon."""

        def lookup(*_: object, **__: object) -> None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", lookup)
        hub = stand.make("http://hub.example", None, None)
        (answer,) = hub.find([reference("m.safetensors", url=stand.url)])

        assert isinstance(answer, HubUnavailable)
        assert answer.message == "hub.example: this name could not be looked up; is this machine online?"

    def test_hub_breaks_off(self, stand: Stand) -> None:
        """A hub found out of reach is not tried for each of the remaining references."""
        stand.server.app = lambda _asked: Said(dropped=True)
        stand.hub().find([reference(f"m{n}.safetensors") for n in range(40)])

        assert len(stand.server.asked) <= 3 * 4  # tries, and the requests that were on their way

    @pytest.mark.parametrize(
        "said",
        [
            Said(200, b"<!doctype html><title>Log in</title>", HTML),
            Said(200, b"[" * 100_000),
            Said(200, b'{"items": [' + b'"x",' * (3 << 20) + b'"x"]}'),
            Said(200, b"\xff\xfe\x00"),
            Said(403, b"<html>Just a moment...</html>", HTML),
            Said(500, b"oh"),
            Said(418, b'{"error": "no"}'),
            says({"error": "not in your region"}, 451),
            says("text"),
            says({"items": 7}),
        ],
        ids=lambda said: f"{said.status} {said.body[:20]!r}",
    )
    def test_nonsense(self, stand: Stand, said: Said) -> None:
        """Whatever comes that is no answer is HubUnavailable: a page, too much, too deep, another type."""
        stand.server.app = lambda _asked: said
        with pytest.raises(HubUnavailable):
            stand.hub().open(stand.link)
        with pytest.raises(HubUnavailable):
            stand.hub().search(SearchQuery(text="x"))
        answer = stand.hub().find([reference(stand.name, stand.folder)])[0]
        assert isinstance(answer, HubUnavailable)

    def test_whoami(self, stand: Stand) -> None:
        """A good token has a name; a bad one, a malformed one and none are LoginRequired."""
        assert stand.hub(TOKEN).whoami() == "reader"
        for token in (None, "", "wrong-token", "two words", "ünï"):
            with pytest.raises(LoginRequired):
                stand.hub(token).whoami()

    @pytest.mark.parametrize(
        "url",
        [
            "https://cdn.example/x",
            "http://civitai.com/x",
            "http://huggingface.co/x",
            "https://civitai.com.example/x",
            "https://huggingface.co.example/x",
            "https://civitai.com@example/x",
            "https://huggingface.co:444/x",
            "https://civitai.com:444/x",
            "//civitai.com/x",
            "https://[::1",
            "https://huggingface.co\\@example/",
            "",
        ],
    )
    def test_token_stays_home(self, stand: Stand, url: str) -> None:
        """A token goes to the hub's own hosts over https, or to the configured endpoint, and nowhere else."""
        hub = stand.hub(TOKEN)

        assert not hub.owns(url)
        assert hub.authorize(url) == {}
        assert hub.authorize(f"{stand.server.url}/x") == {"Authorization": f"Bearer {TOKEN}"}
        assert stand.hub().authorize(f"{stand.server.url}/x") == {}

    def test_token_is_sent(self, stand: Stand) -> None:
        """With a token every question carries it; without one none does, whatever this machine has stored."""
        stand.hub(TOKEN).open(stand.link)
        stand.hub().open(stand.link)

        with_token = [asked.headers.get("authorization") for asked in stand.server.asked]
        half = len(with_token) // 2
        assert with_token == [f"Bearer {TOKEN}"] * half + [None] * half

    def test_token_is_not_told(self, stand: Stand) -> None:
        """No error and no repr shows the token."""
        hub = stand.hub(TOKEN)
        stand.server.app = lambda asked: says({"error": f"no {asked.headers}"}, 500)
        with pytest.raises(HubError) as caught:
            hub.open(stand.link)

        told = [repr(hub), str(caught.value), repr(caught.value), str(caught.value.to_dict())]
        assert not [text for text in told if TOKEN in text]

    def test_redirect_elsewhere(self, stand: Stand) -> None:
        """A question that is redirected to another host takes no token there."""
        other = Server(lambda _asked: says({}))
        with other.running():
            target = f"{other.url.replace('127.0.0.1', 'localhost')}/x"
            stand.server.app = lambda _asked: Said(307, b"", {"Location": target})
            with pytest.raises(HubError):
                stand.hub(TOKEN).open(stand.link)
        assert not [asked for asked in other.asked if "authorization" in asked.headers]


def _candidates(answer: object) -> tuple:  # type: ignore[type-arg]
    assert isinstance(answer, tuple), answer
    return answer


CIVITAI = CivitaiLink(model_id=2147483000)
HUGGINGFACE = HuggingFaceLink(repo="nobody/nothing", path="zzz.safetensors")
