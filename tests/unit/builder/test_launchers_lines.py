"""What launchers put into key files is known to who takes it off again: one spelling."""

from builder.quiet.scripts import text
from launcher.guest.orders import KEY_MARK, MARK, mark_of
from remuda.model.ids import NodeId
from remuda.ssh.certificates import trust_line


def test_what_launchers_put_there_is_told_by_its_own_words() -> None:
    """Another mark, or another form of the authority's line, would stay in images."""
    assert f" {MARK.partition('-')[0]}-(guest|key-[0-9a-f]+)" in text()
    assert (MARK, KEY_MARK) == ("remuda-guest", "remuda-key-")
    assert set(mark_of("a").removeprefix(KEY_MARK)) <= set("0123456789abcdef")
    assert trust_line("ssh-ed25519 A", NodeId("1")).startswith(
        'cert-authority,principals="remuda-hold-'
    )
    assert '/^[ \\t]*cert-authority,principals="remuda-hold-/' in text()
