"""What somebody meets who brings a network of their own: what is said when the files are not yet as they should be."""

from __future__ import annotations

from consentry.policy.library import shipped
from end_to_end.terminal import Terminal, terminal

__all__ = ["terminal"]


def test_publishing_says_what_the_set_takes_the_place_of(terminal: Terminal) -> None:
    first = terminal.run("policy", "publish", "august-2024", as_json=False)
    assert "It decides about train-genai from now on; no set did before." in first
    found = terminal.run("policy", "publish", "september-2024")
    assert found["decides"][0]["purpose"] == "train-genai"
    assert found["decides"][0]["before"]["name"] == "august-2024"
    text = terminal.run("policy", "publish", "august-2024", as_json=False)
    version = found["version"]
    assert f"in place of september-2024 {version} (builds can still name that)." in " ".join(text.split())
    changed = terminal.folder / "changed.toml"
    changed.write_text(shipped()["august-2024"].replace('version = "', 'version = "next-', 1), "utf-8")
    assert ", in place of version " in terminal.run("policy", "publish", changed, as_json=False)
