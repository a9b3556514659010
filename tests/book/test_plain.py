"""MyST Markdown to plain Markdown: each piece of syntax that the pages use, and a refusal for the rest."""

from __future__ import annotations

import pytest
from plain import Surroundings, plain

AROUND = Surroundings(
    citations={"vaswani2017": "Vaswani et al. (2017)", "su2021": "Su et al. (2021)"},
    titles={"06-pretraining": "6. Pretraining", "the-mask": "The mask", "fig-loss": "the figure"},
    twins={"06-pretraining"},
    repository={"url": "https://example.org/a/b", "branch": "main"},
)


@pytest.mark.parametrize(
    ("myst", "expected"),
    [
        ("a {term}`token` and {term}`tokens <token>`", "a token and tokens"),
        ("it is {glue:text}`page-loss:.2f` nats", "it is `page-loss` nats"),
        ("{cite:t}`vaswani2017` show", "Vaswani et al. (2017) show"),
        ("known {cite}`vaswani2017,su2021`", "known (Vaswani et al., 2017; Su et al., 2021)"),
        ("see {doc}`06-pretraining`", "see [6. Pretraining](06-pretraining.ipynb)"),
        ("see {doc}`later <06-pretraining>`", "see [later](06-pretraining.ipynb)"),
        ("see {doc}`glossary`", "see *glossary*"),
        ("see {ref}`the-mask` and {ref}`this <the-mask>`", "see *The mask* and this"),
        ("{numref}`fig-loss` shows", "*the figure* shows"),
        (
            "{py:func}`~course_lib.gpt.generate` or {py:class}`course_lib.gpt.GPT`",
            "`generate` or `course_lib.gpt.GPT`",
        ),
        ("{repo}`it <exercises/a.ipynb>`", "[it](https://example.org/a/b/blob/main/exercises/a.ipynb)"),
        ("a role over\ntwo lines: {term}`causal\nmask`", "a role over\ntwo lines: causal mask"),
        ("`{code}` stays, and so does $x_{t}$", "`{code}` stays, and so does $x_{t}$"),
        ("(the-mask)=\n## The mask", "## The mask"),
        ("```python\n{term}`x`\n```", "```python\n{term}`x`\n```"),
        ("```{mermaid}\n:alt: A\n:caption: B\nflowchart TB\n```", "```mermaid\nflowchart TB\n```\n\n*B*"),
        ("```{glue:figure} key\n:name: f\n:alt: A\nSee {term}`loss`.\n```", "**Figure.** See loss."),
        (":::{note}\nWith {term}`loss`.\n:::", "> **Note**\n>\n> With loss."),
        (":::{admonition} My title\n:class: dropdown\nText.\n:::", "> **My title**\n>\n> Text."),
        ("::::{grid} 1 2\n:::{grid-item-card} Read\n:link: x\nText.\n:::\n::::", "**Read**\n\nText."),
    ],
)
def test_syntax(myst: str, expected: str) -> None:
    assert plain(myst, AROUND) == expected


def test_equations_are_numbered_in_the_order_of_the_page() -> None:
    around = Surroundings()
    assert plain("$$\na = b\n$$ (eq-a)\n\nand {eq}`eq-a`", around) == "$$\na = b \\tag{1}\n$$\n\nand (1)"
    assert plain("$$c$$ (eq-c)\n\n{eq}`eq-c` follows {eq}`eq-a`", around) == "$$\nc \\tag{2}\n$$\n\n(2) follows (1)"


@pytest.mark.parametrize("myst", ["{unknown}`x`", "```{unknown}\nx\n```", ":::{note}\nnever closed"])
def test_what_has_no_plain_form_is_refused(myst: str) -> None:
    with pytest.raises(ValueError, match=r"no plain form|never closed"):
        plain(myst, AROUND)
