"""The reader of console blocks, and the comparison that decides whether a README is right."""

import pytest

from console import Command, InvalidPage, begins_with, commands, matches, mismatch

PAGE = """\
# Title

```console
$ tapegate dev
listening grpc=127.0.0.1:50051 admin=127.0.0.1:9464
…
```

```toml
listen = "$ not a command"
```

1. In a list:

   ```console
   $ grpcurl -d '{
   >   "limit": 1
   > }' \\
       127.0.0.1:50051 call
   {
     "marker": "…"
   }
   $ true
   ```
"""


def test_reads_commands_and_what_follows_them():
    server, call, silent = commands(PAGE)
    assert server == Command(4, "tapegate dev", ["listening grpc=127.0.0.1:50051 admin=127.0.0.1:9464", "…"])
    assert call.text == "grpcurl -d '{\n  \"limit\": 1\n}' \\\n    127.0.0.1:50051 call"
    assert call.expected == ["{", '  "marker": "…"', "}"]
    assert (silent.text, silent.expected) == ("true", [])


def test_tells_servers_by_their_first_line():
    server, call, silent = commands(PAGE)
    assert server.is_server
    assert server.addresses == {"grpc": "127.0.0.1:50051", "admin": "127.0.0.1:9464"}
    assert not call.is_server
    assert not silent.is_server


@pytest.mark.parametrize(
    ("page", "says"),
    [
        ("```bash\nls\n```\n", "line 1: a ```bash block"),
        ("text\n\n~~~sh\nls\n~~~\n", "line 3: a ```sh block"),
        ("```console\nls\n```\n", "line 2: a console block begins with a command"),
        ("```console\n$ ls\n", "line 1: the block has no end"),
    ],
)
def test_refuses_pages_that_it_cannot_check(page: str, says: str):
    with pytest.raises(InvalidPage, match=says):
        commands(page)


def test_names_every_fault_of_a_page():
    with pytest.raises(InvalidPage) as refused:
        commands("```sh\nls\n```\n```console\nls\n```\n")
    assert len(str(refused.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ([], []),
        (["a"], ["a"]),
        (["a", ""], ["a"]),
        (["a  "], ["a"]),
        (["id: …"], ["id: 4711"]),
        (["id: …z"], ["id: z"]),
        (["a … c …"], ["a b c d"]),
        (["…"], []),
        (["…"], ["a", "b"]),
        (["a", "…", "d"], ["a", "b", "c", "d"]),
        (["a", "…", "d"], ["a", "d"]),
        (["…", "b", "…", "d"], ["a", "b", "d", "b", "c", "d"]),
        (["  …"], ["anything", "at all"]),
        (["[a-z]*(.)"], ["[a-z]*(.)"]),
    ],
)
def test_matches(expected: list[str], actual: list[str]):
    assert matches(expected, actual)


@pytest.mark.parametrize(
    ("expected", "actual", "first_wrong"),
    [
        ([], ["a"], 0),
        (["a"], [], 0),
        (["a"], ["ab"], 0),
        (["a"], ["  a"], 0),
        (["a", "b"], ["a", "c"], 1),
        (["a", "b"], ["a"], 1),
        (["a"], ["a", "b"], 1),
        (["a", "…", "d"], ["a", "b", "c"], 2),
        (["id: …"], ["key: 4711"], 0),
        (["a.c"], ["abc"], 0),
        (["…", "b"], ["b", "a"], 2),
    ],
)
def test_tells_the_first_line_that_is_wrong(expected: list[str], actual: list[str], first_wrong: int):
    assert mismatch(expected, actual) == first_wrong


def test_a_running_program_may_print_more():
    assert begins_with(["listening …"], ["listening x", "more"])
    assert not begins_with(["listening …", "try"], ["listening x"])


@pytest.mark.parametrize("mark", ["needs a cluster", "run by tests/run test", "run by tests/soak/run"])
def test_a_block_may_say_why_it_is_not_run(mark: str):
    assert commands(f"```sh {mark}\nhelm install tapegate\n```\n") == []


@pytest.mark.parametrize("mark", ["needs time", "run by hand", "run by tests/run"])
def test_other_reasons_are_refused(mark: str):
    with pytest.raises(InvalidPage, match="only ```console blocks"):
        commands(f"```sh {mark}\nhelm install tapegate\n```\n")
