"""The code of docs/empirical-ntk.md runs and gives the shapes that it says."""

from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "empirical-ntk.md"


def test_the_page(capsys):
    code = PAGE.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    names = {}
    exec(compile(code, str(PAGE), "exec"), names)
    assert "layers" in capsys.readouterr().out
    lines = [line.split("  # ") for line in code.splitlines() if line.startswith("empirical_ntk(")]
    for call, comment in lines:
        if comment.startswith("("):
            shape = eval(comment.split("), ")[0] + ")" if "), " in comment else comment)
            assert tuple(eval(call, names).shape) == shape
