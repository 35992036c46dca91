"""A submission full of what a browser would act on: each trap that springs sets the title or calls home."""

import nbformat

from tests.grade.test_hostile import right_answers
from tests.hostile.submissions import find

SPRUNG = "SPRUNG"
ACT = f"document.title='{SPRUNG}'"
AWAY = "http://elsewhere.example"
HTML = f"""\
<script>{ACT}; alert('{SPRUNG}')</script>
<img src=x onerror="{ACT}"><svg onload="{ACT}"></svg><details open ontoggle="{ACT}">open</details>
<iframe src="javascript:parent.{ACT}"></iframe><iframe srcdoc="<script>parent.{ACT}</script>"></iframe>
<img src="{AWAY}/pixel.png"><link rel=stylesheet href="{AWAY}/x.css"><object data="{AWAY}/x"></object>
<a id=trap href="javascript:{ACT}">here</a><form action="{AWAY}"><button>Save</button></form>
</pre></textarea></title></script><style>@import '{AWAY}/y.css'; * {{ background: url({AWAY}/z) }}</style>
<meta http-equiv=refresh content="0;url={AWAY}"><base href="{AWAY}/">"""
PROSE = f"""\
{HTML}

![seen]({AWAY}/markdown.png) ![seen][ref] [here](javascript:{ACT}) [here](javascript&#58;{ACT})
[here](JaVaScRiPt&colon;{ACT}) [here](&#106;avascript:{ACT}) <javascript:{ACT}> [here][link]
[here](javascript\\:{ACT}) [here](java\tscript:{ACT}) [here](java\rscript:{ACT}) [here](\x01javascript:{ACT})
[here](javascript&amp;#58;{ACT}) [here](javascript&#x3a{ACT}) [here](javascript\\&#58;{ACT})
[here](page 'a" onmouseover="{ACT}') [here](#"onmouseover="{ACT})
[here](data:text/html,<script>{ACT}</script>) [here](vbscript:{ACT}) $\\href{{javascript:{ACT}}}{{x}}$
$$</script><script>{ACT}</script>$$ `<script>{ACT}</script>` $x$<img src=x onerror={ACT}>

```python"><script>{ACT}</script>
<script>{ACT}</script>
```

```mermaid
graph TD; A["<img src=x onerror={ACT}>"]
```

| <script>{ACT}</script> |
|---|
| <img src=x onerror={ACT}> |

[ref]: {AWAY}/reference.png "{HTML.splitlines()[1]}"
[link]: javascript:{ACT}
"""
OUTPUTS = f"""\
HTML, ACT = {HTML!r}, {ACT!r}
from IPython.display import HTML as Html, SVG, Javascript, Latex, Markdown, display
for shown in (Html(HTML), Markdown(HTML), Latex(HTML), Javascript(ACT)):
    display(shown)
display({{"image/svg+xml": f"<svg xmlns='http://www.w3.org/2000/svg' onload=\\"{{ACT}}\\"/>"}}, raw=True)
display({{"image/png": f"x' onerror=\\"{{ACT}}\\" '"}}, raw=True)
display({{"text/plain": HTML, "application/vnd.jupyter.widget-view+json": {{"model_id": HTML}}}}, raw=True)
print(HTML)
"""
WRONG = f"""\
def magnitude_mask(weight, sparsity):
    raise ValueError({HTML!r})
"""


def submission() -> nbformat.NotebookNode:
    """Lab 02 as a student hands it in: traps in cells, prose, outputs and errors."""
    notebook = right_answers()
    notebook.cells.insert(1, nbformat.v4.new_code_cell(OUTPUTS, id="outputs"))
    notebook.cells.insert(1, nbformat.v4.new_markdown_cell(PROSE, id="prose"))
    notebook.cells.append(nbformat.v4.new_code_cell(f"raise ValueError({HTML!r})", id="error"))
    find(notebook, "magnitude_mask").source = WRONG
    find(notebook, "prune_magnitude").source = "prune_magnitude = None  # " + HTML.replace("\n", " ")
    find(notebook, "global_magnitude_masks").source = f"'''{HTML}'''"
    find(notebook, "magnitude_reflection").source = PROSE
    return notebook
