"""What we write on servers and read back."""

from hypothesis import given
from hypothesis import strategies as st

from remuda.model import tags
from remuda.model.ids import NodeId, PoolName, ProviderName, ServerId

OWNER = tags.Owner(installation="ci", provider=ProviderName("east"))
OURS = tags.ServerTags(owner=OWNER, node=NodeId("3000000001"), pool=PoolName("main"), label="small")


def test_tags_are_read_as_they_were_made() -> None:
    """The pair of functions agrees."""
    assert tags.read(tags.make(OURS, image="debian-12")) == OURS


def test_peers_find_the_keys_they_know() -> None:
    """Names and forms are Nodepool's."""
    pairs = tags.make(OURS, image="debian-12")

    assert pairs["nodepool_node_id"] == "3000000001"
    assert pairs["nodepool_pool_name"] == "main"
    assert pairs["nodepool_provider_name"] == "east"
    assert pairs["groups"] == "east,debian-12,small"
    assert tags.server_name(OURS.node) == "np3000000001"


def test_operators_pairs_are_kept_but_never_override_ours() -> None:
    """A configuration cannot make our server somebody else's."""
    pairs = tags.make(OURS, extra={"team": "qa", "remuda_node_id": "1", "groups": "x"})

    assert pairs["team"] == "qa"
    assert tags.read(pairs) == OURS
    assert pairs["groups"] == "east,,small"


@given(st.text(max_size=400))
def test_long_values_are_cut_at_a_character(value: str) -> None:
    """Within the limit in bytes, and still text."""
    cut = tags.make(OURS, extra={"note": value})["note"]

    assert len(cut.encode()) <= tags.VALUE_BYTES_MAX
    assert value.startswith(cut)


def test_incomplete_or_foreign_tags_are_nobodys() -> None:
    """Guessing could delete a stranger's server."""
    pairs = tags.make(OURS)
    other = tags.Owner(installation="other", provider=OWNER.provider)

    assert tags.read({}) is None
    assert tags.read({**pairs, tags.INSTALLATION: ""}) is None
    assert tags.owned_node(pairs, OWNER) == OURS.node
    assert tags.owned_node(pairs, other) is None
    assert tags.owned_node({"nodepool_node_id": "1"}, OWNER) is None


def test_note_names_owner_and_server() -> None:
    """Floating IPs have a description only."""
    text = tags.note(OWNER, ServerId("s1"))
    longer = tags.Owner(installation="ci", provider=ProviderName("east2"))

    assert tags.noted(text, OWNER) == "s1"
    assert tags.noted(text, longer) is None
    assert tags.noted("", OWNER) is None
    assert tags.noted("remuda ci east ", OWNER) is None
    assert tags.noted("made by hand", OWNER) is None


IMAGE = tags.ImageTags(owner=OWNER, image="debian", build="42", name="debian-42")


def test_image_tags_are_read_as_they_were_made() -> None:
    """The pair of functions agrees, whatever else stands there."""
    pairs = {**tags.make_image(IMAGE), "os_distro": "debian"}

    assert tags.read_image("debian-42", pairs) == IMAGE


def test_inherited_image_tags_are_nobodys() -> None:
    """A snapshot has the keys of the image that its server came from, and another name."""
    pairs = tags.make_image(IMAGE)

    assert tags.read_image("by-hand", pairs) is None
    assert tags.read_image("debian-42", {**pairs, tags.BUILD: ""}) is None
    assert tags.read_image("", {}) is None


@given(st.text(min_size=1, max_size=400))
def test_a_long_image_name_is_recognised_though_cut(name: str) -> None:
    """Within the limit in bytes."""
    ours = tags.ImageTags(owner=OWNER, image="debian", build="42", name=name)
    pairs = tags.make_image(ours)

    assert all(len(value.encode()) <= tags.VALUE_BYTES_MAX for value in pairs.values())
    assert tags.read_image(name, pairs) == ours


def test_a_copy_has_tags_of_its_own() -> None:
    """What came along with the source's properties says nothing of it."""
    west = tags.Owner(installation="ci", provider=ProviderName("west"))
    copy = tags.ImageTags(owner=west, image="debian", build="42", name="debian-42", copy_of="i1")
    inherited = tags.make_image(IMAGE)

    assert tags.read_image("debian-42", {**inherited, **tags.make_image(copy)}) == copy
    assert tags.read_image("debian-42", {**tags.make_image(copy), **inherited}) == IMAGE


def test_an_image_made_before_there_were_copies_is_still_read() -> None:
    """It is none."""
    old = {key: value for key, value in tags.make_image(IMAGE).items() if key != tags.COPY_OF}

    assert tags.read_image("debian-42", old) == IMAGE


def test_what_descends_from_a_build_is_known_by_its_tags() -> None:
    """Whatever it is called; a machine's own tags, or some of ours, do not make a build."""
    pairs = tags.make_image(IMAGE)

    assert tags.descends_from_build(pairs)
    assert tags.descends_from_build({**pairs, tags.IMAGE_NAME: "another"})
    assert not tags.descends_from_build({**pairs, tags.BUILD: ""})
    assert not tags.descends_from_build(tags.make(OURS))
    assert not tags.descends_from_build({})
