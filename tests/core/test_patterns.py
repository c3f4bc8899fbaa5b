"""Patterns of .gitignore files: as pathspec reads them, in linear time."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pathspec import GitIgnoreSpec

from shamisa_cli.core.errors import SettingError
from shamisa_cli.core.patterns import MAX_PATTERN, matches, read_pattern, read_patterns

SEGMENTS = st.sampled_from(["a", "b", "*", "?", "**", "ab", "[ab]", "[!a]", "[^b]", "a*", "*b", ".x", r"\*", "a*b*"])
NAMES = st.sampled_from(["a", "b", "ab", "ba", "*", ".x", "abc", "aXbY"])


def match(lines, path):
    return matches([pattern for line in lines if (pattern := read_pattern(line)) is not None], path)


@settings(max_examples=500)
@given(
    st.booleans(), st.lists(SEGMENTS, min_size=1, max_size=3), st.booleans(), st.lists(NAMES, min_size=1, max_size=4)
)
def test_one_pattern_matches_as_in_pathspec(from_root, segments, folder, parts):
    # Of "**/" at the end pathspec also takes files, which is against git's documentation.
    line = "/" * from_root + "/".join(segments) + "/" * (folder and segments[-1] != "**")
    path = "/".join(parts)
    assert match([line], path) == GitIgnoreSpec.from_lines([line]).match_file(path)


@pytest.mark.parametrize(
    ("lines", "path", "expected"),
    [
        (["**", "!icons/**"], "icons/a.png", False),
        (["**", "!icons/**"], "photos/a.png", True),
        (["*.png", "!keep.png", "keep.png"], "keep.png", True),
        (["!a.png"], "a.png", False),
        (["# a comment", "", "a.png  "], "a.png", True),
        (["*b", "!b"], "b/ab/a", True),
        (["drafts/"], "drafts", False),
        (["drafts/"], "old/drafts/a.png", True),
    ],
)
def test_the_last_pattern_for_the_path_decides_then_those_for_its_folders(lines, path, expected):
    assert match(lines, path) is expected


@pytest.mark.parametrize("line", ["*a" * 400 + "*b", "**/a/" * 150 + "b", "[a" * 400, "?*" * 400 + "b"])
def test_no_pattern_takes_long(line):
    begun = time.thread_time()
    for path in ("a" * 255, "/".join(["a"] * 100)):
        assert match([line[:MAX_PATTERN]], path) is False
    assert time.thread_time() - begun < 1


@pytest.mark.parametrize("line", ["a" * (MAX_PATTERN + 1), "/", "!/"])
def test_a_pattern_that_cannot_be_used_is_refused(line):
    with pytest.raises(ValueError, match=r"characters|nothing"):
        read_pattern(line)


@pytest.mark.parametrize("line", ["a" * (MAX_PATTERN + 1), "/", "!/"])
def test_the_sentence_about_a_pattern_shows_it_and_says_what_to_write(line):
    with pytest.raises(
        SettingError, match=r"^The pattern '.{1,40}' cannot be used: it .*, such as drafts/ or \*\.png\.$"
    ):
        read_patterns(["fine/", line])


@pytest.mark.parametrize("line", ["bilder_é/", "*é*", "bilder_é/**", "/bilder_?/"])
def test_accents_match_in_either_form(line):
    decomposed = unicodedata.normalize("NFD", line)
    for pattern in (line, decomposed):
        for name in ("bilder_é/a.jpg", unicodedata.normalize("NFD", "bilder_é/a.jpg")):
            assert matches(read_patterns([pattern]), name)
    assert not matches(read_patterns([line]), "bilder_ee/a.jpg")
