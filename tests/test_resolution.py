"""Deciding what a reference means."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfywatchman.catalog import Access, LocalFile, RemoteFile
from comfywatchman.digest import Digest
from comfywatchman.resolution import (
    Ambiguous,
    Candidate,
    Evidence,
    Found,
    LocalMatch,
    Missing,
    Placement,
    Present,
    is_settled,
    merge_same_files,
    resolve,
)
from comfywatchman.workflow.references import Reference

ONE = Digest("sha256", "1" * 64)
TWO = Digest("sha256", "2" * 64)
WANTED = Reference(
    node_id="1", node_type="VAELoader", input_name="vae_name", folder="vae", name="ae.safetensors"
)


def remote(
    url: str = "https://huggingface.co/a/b/resolve/main/ae.safetensors", **facts: object
) -> RemoteFile:
    return replace(RemoteFile(hub="huggingface", name="ae.safetensors", url=url), **facts)  # type: ignore[arg-type]


def local(placement: Placement, *, size: int = 10, digests: tuple[Digest, ...] = ()) -> LocalMatch:
    file = LocalFile(
        folder="vae", path="ae.safetensors", root="/m/vae", size=size, mtime_ns=0, digests=digests
    )
    return LocalMatch(file, placement)


def test_nothing_found_is_missing_with_what_was_searched() -> None:
    """Missing says where it was looked for."""
    assert resolve(WANTED, searched=("workflow", "known")) == Missing(WANTED, ("workflow", "known"))


@pytest.mark.parametrize("placement", [Placement.EXACT, Placement.SPELLING, Placement.SUBFOLDER])
def test_file_in_its_folder_is_present_whatever_hubs_have(placement: Placement) -> None:
    """A file of that name in its own folder needs no hub."""
    resolution = resolve(WANTED, local=[local(placement)], remote=[Candidate(remote(), Evidence.DIGEST)])
    assert isinstance(resolution, Present)
    assert resolution.placement is placement


def test_local_file_of_another_digest_is_not_present() -> None:
    """A digest in the workflow that the file on disk contradicts wins over the name."""
    wanted = replace(WANTED, digest=ONE)
    resolution = resolve(wanted, local=[local(Placement.EXACT, digests=(TWO,))])
    assert isinstance(resolution, Missing)


def test_digest_on_disk_is_evidence() -> None:
    """A known equal digest is said so."""
    resolution = resolve(replace(WANTED, digest=ONE), local=[local(Placement.EXACT, digests=(ONE,))])
    assert isinstance(resolution, Present)
    assert resolution.evidence is Evidence.DIGEST


@pytest.mark.parametrize(
    ("size", "evidence", "kind"),
    [
        (10, Evidence.KNOWN, Present),  # same size: most likely the same file
        (11, Evidence.KNOWN, Found),  # another size: another file of that name
        (None, Evidence.KNOWN, Found),  # nothing shows that it is the same
        (11, Evidence.NAME, Present),  # a name on a hub proves nothing against the file here
    ],
)
def test_file_in_another_folder(size: int | None, evidence: Evidence, kind: type) -> None:
    """A file of that name in another folder counts until a hub names a file that it is not."""
    resolution = resolve(
        WANTED, local=[local(Placement.FOLDER)], remote=[Candidate(remote(size=size), evidence)]
    )
    assert isinstance(resolution, kind)


def test_best_evidence_wins() -> None:
    """One candidate of better evidence makes the others irrelevant."""
    known = Candidate(remote(url="https://huggingface.co/k"), Evidence.KNOWN)
    named = Candidate(remote(url="https://huggingface.co/n"), Evidence.NAME)
    assert resolve(WANTED, remote=[named, known]) == Found(WANTED, known.file, Evidence.KNOWN)


def test_two_of_equal_evidence_are_ambiguous() -> None:
    """Several files by name alone are shown, none is chosen."""
    both = [Candidate(remote(url=f"https://huggingface.co/{n}"), Evidence.NAME) for n in "ab"]
    assert resolve(WANTED, remote=both) == Ambiguous(WANTED, tuple(both))


def test_similar_name_is_never_found() -> None:
    """A similar name is shown and never chosen, even when it is the only one."""
    only = Candidate(remote(), Evidence.SIMILAR_NAME)
    assert resolve(WANTED, remote=[only]) == Ambiguous(WANTED, (only,))


def test_same_digest_at_two_addresses_is_one_file() -> None:
    """Equal digests merge; the one that needs no access is kept."""
    gated = Candidate(remote(url="https://h/1", digests=(ONE,), access=Access.GATED), Evidence.NAME)
    free = Candidate(remote(url="https://h/2", digests=(ONE,)), Evidence.NAME)
    assert resolve(WANTED, remote=[gated, free]) == Found(WANTED, free.file, Evidence.NAME)


@pytest.mark.parametrize(
    ("one", "other", "kind"),
    [
        ({}, {}, Found),
        ({"size": 5}, {}, Found),
        ({"size": 5}, {"size": 6}, Ambiguous),
        ({"digests": (ONE,)}, {"digests": (TWO,)}, Ambiguous),
    ],
)
def test_addresses_of_the_known_table_are_mirrors(one: dict, other: dict, kind: type) -> None:
    """The table's several addresses of a name are one file unless its facts disagree."""
    pair = [
        Candidate(remote(url="https://h/1", **one), Evidence.KNOWN),
        Candidate(remote(url="https://h/2", **other), Evidence.KNOWN),
    ]
    assert isinstance(resolve(WANTED, remote=pair), kind)


def test_file_that_the_workflow_denies_is_not_chosen() -> None:
    """A candidate whose digest contradicts the workflow's is shown, never found."""
    wrong = Candidate(remote(digests=(TWO,)), Evidence.URL)
    assert resolve(replace(WANTED, digest=ONE), remote=[wrong]) == Ambiguous(
        replace(WANTED, digest=ONE), (wrong,)
    )


@pytest.mark.parametrize(
    ("evidences", "settled"),
    [
        ([], False),
        ([Evidence.NAME], False),
        ([Evidence.URL], True),
        ([Evidence.KNOWN, Evidence.KNOWN], False),
        ([Evidence.DIGEST, Evidence.DIGEST], True),
    ],
)
def test_is_settled(evidences: list[Evidence], settled: bool) -> None:
    """One address or an equal digest ends the search; names do not."""
    candidates = [Candidate(remote(url=f"https://h/{i}"), e) for i, e in enumerate(evidences)]
    assert is_settled(candidates) is settled


CANDIDATES = st.lists(
    st.builds(
        Candidate,
        st.builds(
            remote,
            url=st.sampled_from([f"https://h/{i}" for i in range(4)]),
            digests=st.sampled_from([(), (ONE,), (TWO,)]),
            access=st.sampled_from(Access),
        ),
        st.sampled_from(Evidence),
    ),
    max_size=6,
)


@given(CANDIDATES)
def test_merging_is_idempotent_and_keeps_the_best(candidates: list[Candidate]) -> None:
    """Merging twice changes nothing, invents nothing, and never loses the best evidence."""
    merged = merge_same_files(candidates)
    assert merge_same_files(merged) == merged
    assert set(merged) <= set(candidates)
    if candidates:
        assert merged[0].evidence is max(c.evidence for c in candidates)


@given(CANDIDATES, st.sampled_from([None, ONE, TWO]))
def test_found_is_never_denied(candidates: list[Candidate], digest: Digest | None) -> None:
    """Whatever hubs say, a file that contradicts the workflow's digest is never found."""
    resolution = resolve(replace(WANTED, digest=digest), remote=candidates)
    if isinstance(resolution, Found) and digest is not None:
        assert all(d == digest for d in resolution.file.digests if d.algorithm == digest.algorithm)
