"""References to the environment."""

from collections.abc import Callable

Lines = Callable[..., list[str]]


def test_references_are_replaced_in_values_of_any_kind(reads: Callable, good: str) -> None:
    """Text, numbers and durations; several in one value; but not in keys."""
    text = good.replace("cloud: osic", "cloud: ${A}-${B}\n    rate: ${R}\n    api-timeout: ${T}")

    reading = reads(text, environ={"A": "os", "B": "ic", "R": "2.5", "T": "90s"})

    provider = reading.config.providers["osic"]
    assert (provider.cloud, provider.rate, provider.api_timeout) == ("os-ic", 2.5, 90.0)


def test_a_missing_variable_is_a_problem(says: Lines, good: str) -> None:
    """Never an empty text."""
    assert says(good.replace("cloud: osic", "cloud: ${CLOUD}")) == [
        (
            "6:12: providers.osic.cloud: the environment has no CLOUD; "
            "set it, or write $${CLOUD} for a plain ${CLOUD}"
        )
    ]


def test_a_variable_that_is_no_text_is_a_problem(says: Lines, good: str) -> None:
    """Bytes of it come as halves of characters, which no record and no machine can be given."""
    text, value = (
        good.replace("cloud: osic", "cloud: ${CLOUD}"),
        b"a\xff".decode(errors="surrogateescape"),
    )
    assert says(text, environ={"CLOUD": value}) == [
        ("6:12: providers.osic.cloud: the environment's CLOUD is no text in UTF-8; set it to one")
    ]


def test_what_is_no_reference_is_a_problem(says: Lines, good: str) -> None:
    """Shell's ${A:-b} is not ours."""
    assert says(good.replace("cloud: osic", "cloud: ${A:-b}"), environ={"A": "x"}) == [
        (
            "6:12: providers.osic.cloud: has a ${ without a name; "
            "write ${NAME}, or $${ for a plain ${"
        )
    ]


def test_a_doubled_dollar_stands_for_itself(reads: Callable, good: str) -> None:
    """And a lone one needs nothing."""
    config = reads(good.replace("image: ubuntu", "image: $a $${B} $$c")).config

    assert config.providers["osic"].pools["main"].labels["small"].image.name == "$a ${B} $$c"


def test_values_are_not_replaced_twice(reads: Callable, good: str) -> None:
    """What the environment holds is text, not a template."""
    config = reads(good.replace("cloud: osic", "cloud: ${A}"), environ={"A": "${B}"}).config

    assert config.providers["osic"].cloud == "${B}"


def test_wrong_values_of_the_environment_are_not_shown(says: Lines, good: str) -> None:
    """They may be secrets that landed in the wrong place."""
    (line,) = says(good.replace("cloud: osic", "cloud: a\n    rate: ${R}"), environ={"R": "s3cret"})

    assert "s3cret" not in line
    assert "the value from the environment is not a number" in line


def test_user_data_is_left_alone(reads: Callable, good: str) -> None:
    """Its ${} belongs to the machine."""
    config = reads(good + "            user-data: '#!/bin/echo ${HOME}'\n").config

    assert config.providers["osic"].pools["main"].labels["small"].user_data == "#!/bin/echo ${HOME}"
